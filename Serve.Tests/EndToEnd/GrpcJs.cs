using System.Diagnostics;
using System.Text.Json;

namespace Serve.Tests.EndToEnd;

/// <summary>Runs the gRPC clients in JavaScript, Clients/grpc-js; its packages are those of its lock file.</summary>
internal static class GrpcJs
{
    public const string HowToInstall = "npm ci has not been run in Serve.Tests/Clients/grpc-js (Node.js is needed).";

    private static readonly string Folder = Path.Combine(Repository.Root, "Serve.Tests", "Clients", "grpc-js");

    public static bool IsInstalled => Directory.Exists(Path.Combine(Folder, "node_modules"));

    /// <summary>What a script says of each of its calls.</summary>
    /// <param name="script">Its file.</param>
    /// <param name="arguments">What it is given.</param>
    public static async Task<Dictionary<string, Call>> RunAsync(string script, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("node", [Path.Combine(Folder, script), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
        await process.WaitForExitAsync(patience.Token);
        Assert.True(process.ExitCode == 0, await errors);
        return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .ToDictionary(line => line.GetProperty("call").GetString()!, line => new Call(line.GetProperty("code").GetInt32(), line.GetProperty("details").GetString()!, line.GetProperty("value")));
    }

    /// <summary>A call's status and what was answered.</summary>
    internal sealed record Call(int Code, string Details, JsonElement Value);
}
