using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Serve.Core.Configuration;
using Serve.Frontend.Commands;
using Serve.Frontend.Hosting;

namespace Serve.Frontend.Tuning;

/// <summary>A server of the tuner's own, on free ports, with a runtime folder of its own: no other server is touched.</summary>
internal sealed partial class TuneServer : IDisposable
{
    private const int Terminate = 15;
    private const int MostOutput = 16 << 10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly Process _process;
    private readonly TuneFolder _runtime = TuneFolder.CreateTemporary();
    private readonly StringBuilder _output = new();

    private TuneServer(string modelStore, ServerConfiguration configuration)
    {
        string[] arguments =
        [
            "start", "--model-store", modelStore, "--runtime-folder", _runtime.Path, "--load-models", "none", "--no-config-snapshots", "--log-level", "warning", "--default-startup-timeout", "10m", "--stop-with-input",
            "--inference-address", "http://127.0.0.1:0", "--management-address", "http://127.0.0.1:0", "--metrics-address", "http://127.0.0.1:0", "--grpc-inference-address", "http://127.0.0.1:0", "--grpc-management-address", "http://127.0.0.1:0",
            .. Alike(configuration),
        ];
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "serve.exe" : "serve"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };

        RemoveSettings(start.Environment);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>The server's process.</summary>
    public int Pid => _process.Id;

    /// <summary>Where it listens.</summary>
    public ServerAddresses Addresses { get; private set; } = new("", "", "");

    /// <summary>
    /// Takes the settings of this user's server out of an environment: nobody else reaches the tuner's, it has no certificate, it
    /// must take models, and its logs, traces and metrics go nowhere.
    /// </summary>
    internal static void RemoveSettings(IDictionary<string, string?> environment)
    {
        foreach (var name in environment.Keys.Where(name => name.StartsWith(EnvironmentNames.Prefix, StringComparison.Ordinal) || name.StartsWith("OTEL_", StringComparison.Ordinal)).ToList())
            environment.Remove(name);
    }

    /// <summary>How a model is loaded, and how its requests are carried, is as with the server for which it is tuned, wherever that has it from: a file, a variable, a flag.</summary>
    internal static IEnumerable<string> Alike(ServerConfiguration configuration)
    {
        string[] flags = ["--fast-path", configuration.FastPath, "--cache-size", configuration.CacheSize.ToString(CultureInfo.InvariantCulture)];
        return flags
            .Concat(configuration.CacheFolder is { } cache ? ["--cache-folder", cache] : [])
            .Concat(configuration.WorkerExecutable is { } worker ? ["--worker-executable", worker] : []);
    }

    /// <summary>Starts it and waits until it listens.</summary>
    /// <exception cref="CommandException">It does not.</exception>
    /// <param name="modelStore">The models.</param>
    /// <param name="configuration">The server's for which they are tuned.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public static TuneServer Start(string modelStore, ServerConfiguration configuration, CancellationToken cancellation)
    {
        var server = new TuneServer(modelStore, configuration);
        try
        {
            server.WaitUntilItListens(cancellation);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            if (OperatingSystem.IsWindows()) _process.Kill(entireProcessTree: true);
            else _ = kill(_process.Id, Terminate);
        }

        if (!_process.WaitForExit(StopPatience)) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _runtime.Dispose();
    }

    private void WaitUntilItListens(CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (ServerState.FindOnly(_runtime.Path) is { } state)
            {
                Addresses = new ServerAddresses(state.InferenceAddress, state.ManagementAddress, state.MetricsAddress);
                return;
            }

            if (_process.HasExited || Stopwatch.GetElapsedTime(start) > Patience)
            {
                lock (_output) throw new CommandException(ExitCode.Failed, $"The server for the measurements does not start. It said:\n{_output}");
            }

            cancellation.WaitHandle.WaitOne(Pause);
        }
    }

    private void Keep(string? line)
    {
        lock (_output)
        {
            if (_output.Length < MostOutput) _output.AppendLine(line);
        }
    }

    [LibraryImport("libc")]
    private static partial int kill(int pid, int signal);
}
