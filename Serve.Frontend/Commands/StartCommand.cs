using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;
using Serve.Frontend.Logging;

namespace Serve.Frontend.Commands;

/// <summary><c>serve start</c>: runs the server in the foreground until a signal stops it.</summary>
internal static partial class StartCommand
{
    public static Command Create()
    {
        var flags = ServerFlags.All();
        var command = new DocumentedCommand("start", "Starts the server and runs it until SIGTERM or Ctrl-C: then it finishes the requests it has accepted and stops.", """
            serve start --config configs/serve.yaml
            serve start --model-store ~/models --load-models fashion-vit
            SERVE_LOG_LEVEL=debug serve start --inference-address http://127.0.0.1:9000

            A flag goes before an environment variable (SERVE_INFERENCE_ADDRESS), and that before the file.
            """);
        flags.AddTo(command);
        var noSnapshots = new Option<bool>("--no-config-snapshots", "--ncs") { Description = "The same as --snapshots false, by TorchServe's names" };
        command.Options.Add(noSnapshots);

        // For programs that start a server of their own: whatever ends them ends it.
        var stopWithInput = new Option<bool>("--stop-with-input") { Description = "Stop when standard input ends", Hidden = true };
        command.Options.Add(stopWithInput);
        command.SetAction((arguments, _) => RunAsync(Read(flags, arguments, arguments.GetValue(noSnapshots)), arguments.GetValue(stopWithInput)));
        return command;
    }

    // .NET reads both once, when the first socket is made. Half of the processors carry connections and workers' links; the
    // others are left to decoding and to the workers themselves.
    private static void CompleteSocketsInline()
    {
        Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
        const string Threads = "DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT";
        if (Environment.GetEnvironmentVariable(Threads) is null) Environment.SetEnvironmentVariable(Threads, Math.Max(1, Environment.ProcessorCount / 2).ToString(CultureInfo.InvariantCulture));
    }

    private static ConfigurationRead<ServerConfiguration> Read(ServerFlags flags, ParseResult arguments, bool withoutSnapshots)
    {
        var read = flags.Read(arguments);
        return withoutSnapshots ? read with { Configuration = read.Configuration with { Snapshots = false } } : read;
    }

    private static async Task<int> RunAsync(ConfigurationRead<ServerConfiguration> read, bool stopsWithInput)
    {
        var configuration = read.Configuration;
        if (configuration.FastPath == "inline") CompleteSocketsInline();
        var level = new LogLevelSwitch(configuration.LogLevel);
        using var loggers = CreateLoggers(configuration, level);
        var log = loggers.CreateLogger("Serve.Start");
        foreach (var warning in read.Warnings) LogConfigurationWarning(log, warning);

        var manager = new ServiceManager(log);
        using var shutdown = new Shutdown();
        shutdown.HandleSignals();
        if (stopsWithInput) new Thread(() => WaitForEndOfInput(shutdown)) { IsBackground = true, Name = "standard input" }.Start();
        string? stateFile = null;
        try
        {
            await using var host = await ServeHost.StartAsync(configuration, loggers, shutdown, level);
            stateFile = WriteState(configuration, host, log);
            manager.Tell(ServiceState.Ready);
            await shutdown.Requested;
            manager.Tell(ServiceState.Stopping);
        }
        finally
        {
            // After the drain: until then there is a server to ask about.
            if (stateFile is not null) ServerState.Remove(stateFile);
        }

        return ExitCode.Success;
    }

    private static void WaitForEndOfInput(Shutdown shutdown)
    {
        using var input = Console.OpenStandardInput();
        var buffer = new byte[256];
        while (input.Read(buffer) > 0)
        {
            // What it says is of no interest.
        }

        shutdown.Request();
    }

    // What the factory lets through is the most that can be asked for; the level in force is the logs' own, and can change.
    private static LoggerFactory CreateLoggers(ServerConfiguration configuration, LogLevelSwitch level)
    {
        var colours = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or "";
        var output = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = false };

        var factory = new LoggerFactory([], new LoggerFilterOptions
        {
            MinLevel = LogLevel.Trace,
            Rules =
            {
                new LoggerFilterRule(null, "Microsoft", LogLevel.Warning, null),

                // It logs every error that a client is told.
                new LoggerFilterRule(null, "Grpc", LogLevel.Warning, null),

                // It logs a malformed message of a client with a stack trace; what a method of ours throws is logged before it comes there.
                new LoggerFilterRule(null, "Grpc.AspNetCore.Server.ServerCallHandler", LogLevel.None, null),

                // It only logs what it throws: the command says that, in one line.
                new LoggerFilterRule(null, "Microsoft.Extensions.Hosting", LogLevel.None, null),

                // It logs where requests begin and end, which the access log does; and as long as it could log anything,
                // it makes an Activity for each of them.
                new LoggerFilterRule(null, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None, null),
            },
        });
        factory.AddProvider(new ServerLogs(configuration.Logging, level, TimeProvider.System, output, colours));
        return factory;
    }

    // Only serve stop and serve status need the file: a full disk is no reason not to serve.
    private static string? WriteState(ServerConfiguration configuration, ServeHost host, ILogger log)
    {
        using var self = Process.GetCurrentProcess();
        var state = new ServerState(
            self.Id, self.StartTime.ToUniversalTime(), ServeCommandLine.Version, host.Inference.Url, host.Management.Url, host.Metrics.Url,
            host.GrpcInference.IsBound ? host.GrpcInference.Url : null,
            host.GrpcManagement.IsBound ? host.GrpcManagement.Url : null);
        var folder = ServerState.FolderOf(configuration);
        try
        {
            return state.Write(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNoState(log, folder, e.Message);
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Warning}")]
    private static partial void LogConfigurationWarning(ILogger log, string warning);

    [LoggerMessage(2, LogLevel.Warning, "Nothing could be written to {Folder} (runtimeFolder), so serve stop and serve status will not find this server: {Reason}")]
    private static partial void LogNoState(ILogger log, string folder, string reason);
}
