using System.Diagnostics;
using System.Text.Json;

namespace Serve.Tests.Monitoring;

/// <summary>Checks dashboards against the types that Grafana publishes (@grafana/schema): Clients/grafana.</summary>
internal static class GrafanaSchema
{
    public const string HowToInstall = "npm ci has not been run in Serve.Tests/Clients/grafana (Node.js is needed).";

    private static readonly string Folder = Path.Combine(EndToEnd.Repository.Root, "Serve.Tests", "Clients", "grafana");

    public static bool IsInstalled => Directory.Exists(Path.Combine(Folder, "node_modules"));

    /// <summary>What is wrong with some files.</summary>
    public static async Task<IReadOnlyList<Fault>> CheckAsync(IReadOnlyList<string> files)
    {
        using var process = Process.Start(new ProcessStartInfo("node", [Path.Combine(Folder, "check.js"), .. files]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, await errors);
        return [.. (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<Fault>(line, JsonSerializerOptions.Web)!)];
    }

    /// <summary>A mistake.</summary>
    internal sealed record Fault(string File, int Line, string Message);
}
