using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serve.Frontend.Hosting;
using Serve.Management.Rest;

namespace Serve.Frontend.Commands;

/// <summary>What <c>serve status --json</c> prints.</summary>
internal sealed record StatusReport(string Status, int? Pid, string? Version, string InferenceAddress, string ManagementAddress, string? GrpcInferenceAddress, string? GrpcManagementAddress, IReadOnlyList<VersionBody> Models);

/// <summary>What <c>serve status --probe … --json</c> prints.</summary>
/// <param name="Probe">What was asked.</param>
/// <param name="Passed">Whether the answer is yes.</param>
/// <param name="Status">The server's word for it.</param>
internal sealed record ProbeReport(string Probe, bool Passed, string Status);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StatusReport))]
[JsonSerializable(typeof(ProbeReport))]
internal sealed partial class StatusJson : JsonSerializerContext;

/// <summary><c>serve status</c>: the server's health, and every model's state.</summary>
internal static class StatusCommand
{
    private static readonly IReadOnlyDictionary<string, string> Probes = new Dictionary<string, string> { ["live"] = "/livez", ["ready"] = "/readyz", ["started"] = "/startupz" };

    public static Command Create()
    {
        var connection = new ConnectionOptions();
        var command = new DocumentedCommand("status", "Shows the server's health and the state of its models. Exit code 0: it serves; 1: unhealthy; 4: it does not run.", """
            serve status
            serve status --json | jq -r .status
            serve status --probe ready
            """);
        connection.AddTo(command);
        var probe = new Option<string>("--probe") { Description = "Ask only whether it is live, ready or started, as Kubernetes does: no token is needed, and nothing but the inference address", HelpName = "live|ready|started" };
        probe.AcceptOnlyFromAmong([.. Probes.Keys]);
        command.Options.Add(probe);
        command.SetAction(async (arguments, cancellation) =>
        {
            using var client = connection.Connect(arguments);
            var screen = new Screen(arguments.InvocationConfiguration.Output);
            if (arguments.GetValue(probe) is { } asked) return await ProbeAsync(client, asked, screen, connection.Json(arguments), cancellation);

            var (health, serves) = await client.PingAsync(cancellation);
            var models = new List<VersionBody>();
            foreach (var name in await client.ListNamesAsync(cancellation)) models.AddRange((await client.DescribeAsync(name, null, cancellation)).Versions);

            var state = ServerState.Find(ServerState.FolderOf(connection.Configuration(arguments)), client.ManagementAddress);
            var report = new StatusReport(health, state?.Pid, state?.Version, client.InferenceAddress, client.ManagementAddress, state?.GrpcInferenceAddress, state?.GrpcManagementAddress, models);
            if (connection.Json(arguments)) screen.Json(JsonSerializer.Serialize(report, StatusJson.Default.StatusReport));
            else Show(screen, report);
            return serves ? ExitCode.Success : ExitCode.Failed;
        });
        return command;
    }

    // For health checks of containers, which have no token and read the exit code.
    private static async Task<int> ProbeAsync(ServerClient client, string probe, Screen screen, bool json, CancellationToken cancellation)
    {
        var (status, yes) = await client.ProbeAsync(Probes[probe], cancellation);
        if (json) screen.Json(JsonSerializer.Serialize(new ProbeReport(probe, yes, status), StatusJson.Default.ProbeReport));
        else screen.Line(status);
        return yes ? ExitCode.Success : ExitCode.Failed;
    }

    private static void Show(Screen screen, StatusReport report)
    {
        screen.Line($"{report.Status}: inference {report.InferenceAddress}, management {report.ManagementAddress}"
            + (report.GrpcInferenceAddress is { } grpc ? $", gRPC inference {grpc}, gRPC management {report.GrpcManagementAddress}" : "")
            + (report.Pid is { } pid ? $", process {pid}, version {report.Version}" : ""));
        if (report.Models.Count == 0) screen.Line("No models are registered.");
        else ModelTables.Versions(screen, report.Models);
    }
}
