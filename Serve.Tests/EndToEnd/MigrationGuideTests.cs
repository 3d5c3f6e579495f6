using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Serve.Tests.EndToEnd;

/// <summary>Runs the commands of docs/migrating-from-torchserve.md, as somebody would who follows it.</summary>
public sealed partial class MigrationGuideTests(ServerFixture server, ITestOutputHelper output) : IClassFixture<ServerFixture>
{
    [Fact]
    public async Task Its_commands_work_one_after_the_other()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a Unix shell.");
        server.ShowLogs(output);
        var folder = Path.GetDirectoryName(server.ModelStore)!;
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0"))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.Copy(Path.Combine(Repository.Root, "docs", "samples", "boot.png"), Path.Combine(folder, "boot.png"));
        File.WriteAllText(Path.Combine(folder, "config.properties"), "inference_address=http://127.0.0.1:8080\nnumber_of_netty_threads=4\n");

        var blocks = Block().Matches(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "migrating-from-torchserve.md"), TestContext.Current.CancellationToken)).Select(block => block.Groups[1].Value).ToList();
        Assert.True(blocks.Count >= 5, $"{blocks.Count} blocks");
        var said = new StringBuilder();
        foreach (var block in blocks)
        {
            var (code, text) = await RunAsync(folder, block);
            Assert.True(code == 0, $"{block}\n{text}");
            said.Append(text);
        }

        // What must have been said somewhere: the answers are TorchServe's.
        var all = said.ToString();
        Assert.All(
            (string[])["Version: 1.0 registered with 1 initial workers", "Workers scaled to 2 for model: boots", "Healthy", "Ankle boot", "RESTful Management API for: boots", "serve_workers{", "Default version successfully updated for model", "Model \"boots\" unregistered"],
            text => Assert.Contains(text, all, StringComparison.Ordinal));
    }

    // curl must fail where the server refuses, and the addresses are this server's.
    private async Task<(int Code, string Text)> RunAsync(string folder, string commands)
    {
        var script = "set -euo pipefail\ncurl() { command curl --fail-with-body -sS --noproxy '*' \"$@\"; echo; }\n" + commands
            .Replace("http://127.0.0.1:8080", server.Inference, StringComparison.Ordinal)
            .Replace("http://127.0.0.1:8081", server.Management, StringComparison.Ordinal)
            .Replace("http://127.0.0.1:8082", server.Metrics, StringComparison.Ordinal);
        using var bash = Process.Start(new ProcessStartInfo("bash", ["-c", script])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["PATH"] = $"{AppContext.BaseDirectory}:{Environment.GetEnvironmentVariable("PATH")}",
                ["SERVE_INFERENCE_ADDRESS"] = server.Inference,
                ["SERVE_MANAGEMENT_ADDRESS"] = server.Management,
                ["SERVE_RUNTIME_FOLDER"] = server.RuntimeFolder,
            },
        })!;
        var printed = bash.StandardOutput.ReadToEndAsync();
        var errors = bash.StandardError.ReadToEndAsync();
        await bash.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (bash.ExitCode, await printed + await errors);
    }

    [GeneratedRegex(@"^```bash\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
