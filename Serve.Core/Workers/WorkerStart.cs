using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Observability;

namespace Serve.Core.Workers;

/// <summary>
/// The start of one worker process: a socket in the private folder, the process with its environment and its output, and
/// the connection that it makes.
/// </summary>
internal sealed partial class WorkerStart(string id, WorkerSettings settings, string modelFolder, string token, WorkerOutput output, ILogger log)
{
    // Linux doubles it and gives at most net.core.wmem_max (by default 212,992), which is twice what it gives unasked. With
    // more, a burst of pictures goes out without waking another thread.
    private const int SendBufferBytes = 1 << 20;

    /// <summary>Starts the process and waits for its connection.</summary>
    /// <param name="spawner">Starts processes.</param>
    /// <param name="started">Told of the process at once, before it connects. What it throws ends the start.</param>
    /// <param name="gone">Completes when the process has ended, or nobody waits for it any more.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="WorkerStartException">It could not be started, or left before it connected.</exception>
    public async Task<Socket> ConnectAsync(WorkerSpawner spawner, Action<Process> started, Task gone, CancellationToken cancellation)
    {
        var path = Path.Combine(settings.RuntimeFolder, $"worker-{id}.sock");
        using var listener = Listen(path);
        try
        {
            await StartProcessAsync(spawner, path, started, gone, cancellation).ConfigureAwait(false);
            using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var accepting = listener.AcceptAsync(giveUp.Token).AsTask();
            if (await Task.WhenAny(accepting, gone).ConfigureAwait(false) != accepting) await giveUp.CancelAsync().ConfigureAwait(false);
            try
            {
                var socket = await accepting.ConfigureAwait(false);
                socket.Blocking = true;
                socket.SendBufferSize = SendBufferBytes;
                return socket;
            }
            catch (OperationCanceledException) when (gone.IsCompleted)
            {
                throw new WorkerStartException("it left before it connected");
            }
        }
        finally
        {
            Remove(path);
        }
    }

    private Socket Listen(string path)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            settings.EnsureRuntimeFolder();
            File.Delete(path);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(1);
            return listener;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or ArgumentException or ServeException)
        {
            // The disk is full or read-only, the folder's rights were changed, or its name is too long for a socket.
            listener.Dispose();
            throw new WorkerStartException($"the socket {path} cannot be made (runtimeFolder): {e.Message}");
        }
    }

    // Connected or not, nobody needs its name any more; one that stays because the disk is read-only now hurts nobody.
    private void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.SocketStays(log, path, e.Message);
        }
    }

    private async Task StartProcessAsync(WorkerSpawner spawner, string path, Action<Process> started, Task gone, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(settings.Executable)
        {
            ArgumentList = { "--socket", path, "--parent", Environment.ProcessId.ToString(CultureInfo.InvariantCulture) },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
            WorkingDirectory = modelFolder,
        };
        foreach (var name in settings.SecretVariables) start.Environment.Remove(name);
        start.Environment["SERVE_WORKER_TOKEN"] = token;

        // Only the environment before the process starts stops ONNX Runtime's telemetry.
        start.Environment["ORT_DISABLE_TELEMETRY"] = "1";
        start.Environment["DOTNET_TieredPGO"] = "0";

        // The order of NVIDIA's own tools, unless somebody wants another: gpu:1 is then the GPU that they call 1.
        start.Environment.TryAdd("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
        Process process;
        try
        {
            process = await StartedAsync(spawner.StartAsync(start), gone, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            throw new WorkerStartException($"{settings.Executable} could not be started: {e.Message}");
        }

        try
        {
            process.OutputDataReceived += (_, line) => Relay(line.Data);
            process.ErrorDataReceived += (_, line) => Relay(line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            process.StandardInput.Close();
        }
        catch (Exception)
        {
            // Nobody knows of it yet who would.
            _ = KillAsync(Task.FromResult(process));
            throw;
        }

        started(process);
    }

    // The executable may lie on a disk that does not answer.
    private static async Task<Process> StartedAsync(Task<Process> starting, Task gone, CancellationToken cancellation)
    {
        try
        {
            await Task.WhenAny(starting, gone).WaitAsync(cancellation).ConfigureAwait(false);
            if (!starting.IsCompleted) throw new WorkerStartException("it was given up before it was started");
        }
        catch (Exception)
        {
            _ = KillAsync(starting);
            throw;
        }

        return await starting.ConfigureAwait(false);
    }

    private static async Task KillAsync(Task<Process> starting)
    {
        try
        {
            using var process = await starting.ConfigureAwait(false);
            process.Kill();
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            // It could not be started, or has ended already.
        }
    }

    // A line may begin with its level, as .NET's own console log does; one that does not is information.
    private void Relay(string? line)
    {
        if (string.IsNullOrEmpty(line)) return;
        output.Add(line);
        var (level, text) = line.Split(": ", 2) switch
        {
            ["trce" or "dbug", var rest] => (LogLevel.Debug, rest),
            ["info", var rest] => (LogLevel.Information, rest),
            ["warn", var rest] => (LogLevel.Warning, rest),
            ["fail" or "crit", var rest] => (LogLevel.Error, rest),
            _ => (LogLevel.Information, line),
        };
        Log.Said(log, level, id, text);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 1, EventName = LogEventNames.WorkerOutput, Message = "worker {Worker}: {Line}")]
        public static partial void Said(ILogger log, LogLevel level, string worker, string line);

        [LoggerMessage(6, LogLevel.Warning, "the socket {Path} could not be removed: {Reason}")]
        public static partial void SocketStays(ILogger log, string path, string reason);
    }
}
