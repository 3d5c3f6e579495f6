using System.Globalization;

namespace Serve.Worker.Hosting;

/// <summary>What the frontend starts a worker with.</summary>
/// <param name="SocketPath">The Unix socket to connect to.</param>
/// <param name="ParentId">The frontend's process id.</param>
/// <param name="Token">The one-time token.</param>
internal sealed record WorkerArguments(string SocketPath, int ParentId, string Token)
{
    public const string TokenVariable = "SERVE_WORKER_TOKEN";
    public const string TelemetryVariable = "ORT_DISABLE_TELEMETRY";

    private const string Usage = "serve-worker is started by serve: serve-worker --socket PATH --parent PID, with SERVE_WORKER_TOKEN in the environment (docs/worker-protocol.md).";

    /// <summary>Reads arguments and environment; the token does not stay where child processes would inherit it.</summary>
    /// <returns>Null with a <paramref name="problem"/> when they are not complete.</returns>
    public static WorkerArguments? Read(string[] args, out string problem)
    {
        problem = Usage;
        string? socket = null;
        int? parent = null;
        for (var i = 0; i + 1 < args.Length; i += 2)
        {
            switch (args[i])
            {
                case "--socket":
                    socket = args[i + 1];
                    break;
                case "--parent" when int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var pid):
                    parent = pid;
                    break;
                default:
                    return null;
            }
        }

        var token = Environment.GetEnvironmentVariable(TokenVariable);
        Environment.SetEnvironmentVariable(TokenVariable, null);
        if (args.Length != 4 || socket is null || parent is null || string.IsNullOrEmpty(token)) return null;

        if (TelemetryProblem() is { } telemetry)
        {
            problem = telemetry;
            return null;
        }

        return new WorkerArguments(socket, parent.Value, token);
    }

    /// <summary>What is wrong with the environment; null if nothing. ONNX Runtime reads it when its library loads; by then it is too late for this process to set it.</summary>
    public static string? TelemetryProblem() => Environment.GetEnvironmentVariable(TelemetryVariable) == "1"
        ? null
        : $"{TelemetryVariable} is not 1 in the environment: ONNX Runtime would write a device id into the user's cache folder and upload telemetry. Set it before the worker starts.";
}
