using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>What users of TorchServe's command line and configuration find here.</summary>
public sealed class CompatibilityCommandTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Flags_go_before_variables_and_variables_before_the_file()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("serve.yaml", "maxRequestSize: 1KiB\ndefaultMaxQueueSize: 11\ndefaultStartupTimeout: 12\n");
        await using var server = await ServerFixture.StartAsync(
            new ServerOptions
            {
                Models = [],
                Flags = ["--config", file, "--load-models", "none", "--max-request-size", "3KiB"],
                Environment = new Dictionary<string, string> { ["SERVE_MAX_REQUEST_SIZE"] = "2KiB", ["SERVE_DEFAULT_MAX_QUEUE_SIZE"] = "22" },
            },
            output);
        await server.ServeAsync("echo", "EchoHandler");

        Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("echo", new byte[3 << 10])).Status);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await server.PredictAsync("echo", new byte[(3 << 10) + 1])).Status);
        var version = await server.DescribeAsync("echo");
        Assert.Equal((22, 12), (version.MaxQueueSize, version.StartupTimeout));
    }

    [Fact]
    public async Task Variables_in_values_are_replaced_by_the_import()
    {
        using var folder = new TemporaryFolder();
        var properties = folder.Write("config.properties", "model_store=$$HOME$$/models\nload_models=a.mar, name=b.mar\ndebug=true\n");
        var (code, text) = await Cli.RunAsync("import-config", properties, "--output", folder["serve.yaml"]);
        Assert.True(code == 0, text);
        Assert.Contains("the name of name=b.mar is not kept", text, StringComparison.Ordinal);
        var yaml = File.ReadAllText(folder["serve.yaml"]);
        Assert.Contains($"modelStore: {Path.Combine(Environment.GetEnvironmentVariable("HOME")!, "models")}\n", yaml, StringComparison.Ordinal);
        Assert.Contains("logLevel: debug\n", yaml, StringComparison.Ordinal);
        Assert.Contains("a.mar", yaml, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_version_is_printed()
    {
        var (code, text) = await Cli.RunAsync("--version");
        Assert.Equal(0, code);
        Assert.Matches(@"^\d+\.\d+\.\d+\s*$", text);
    }

    [Fact]
    public async Task An_address_for_others_needs_tokens_or_auth_none()
    {
        var (code, text) = await Cli.RunAsync("start", "--inference-address", "http://0.0.0.0:0", "--model-store", Path.GetTempPath());
        Assert.NotEqual(0, code);
        Assert.Contains("can be reached from other machines", text, StringComparison.Ordinal);
    }
}
