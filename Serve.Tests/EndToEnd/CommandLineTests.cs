using System.Text.Json;

namespace Serve.Tests.EndToEnd;

/// <summary>The commands that talk to a running server.</summary>
public sealed class CommandLineTests : IClassFixture<ServerFixture>
{
    private static readonly string Boot = Path.Combine(Repository.Root, "docs", "samples", "boot.png");

    private readonly ServerFixture _server;

    public CommandLineTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Fact]
    public async Task Predict_prints_labels()
    {
        var (code, text) = await _server.RunAsync("predict", "fashion-vit", Boot);
        Assert.Equal(0, code);
        Assert.Matches(@"^Ankle boot +[01]\.\d{4}\n", text);
    }

    [Fact]
    public async Task Predict_prints_the_servers_message_when_it_fails()
    {
        var (code, text) = await _server.RunAsync("predict", "none", Boot);
        Assert.Equal((1, "Model not found: none"), (code, text.Trim()));
    }

    [Fact]
    public async Task Models_lists_and_describes()
    {
        var (code, text) = await _server.RunAsync("models");
        Assert.Equal(0, code);
        Assert.Matches(@"fashion-vit +1\.0 \(default\) +Ready +1 of", text);

        (code, text) = await _server.RunAsync("models", "fashion-vit", "--json");
        Assert.Equal(0, code);
        Assert.Equal("fashion-vit", JsonDocument.Parse(text).RootElement[0].GetProperty("modelName").GetString());
    }

    [Fact]
    public async Task Status_says_that_it_serves()
    {
        var (code, text) = await _server.RunAsync("status", "--json");
        Assert.Equal(0, code);
        var report = JsonDocument.Parse(text).RootElement;
        Assert.Equal("Healthy", report.GetProperty("status").GetString());
        Assert.Equal(_server.Pid, report.GetProperty("pid").GetInt32());
    }

    [Fact]
    public async Task Register_scale_and_unregister_say_what_they_did()
    {
        Assert.Equal((0, "Model \"second\" Version: 1.0 registered with 1 initial workers"), Trimmed(await _server.RunAsync("register", "fashion-vit", "--name", "second", "--initial-workers", "1")));
        Assert.Equal((0, "Workers scaled to 2 for model: second"), Trimmed(await _server.RunAsync("scale", "second", "2")));
        Assert.Equal((0, "Default version successfully updated for model \"second\" to \"1.0\""), Trimmed(await _server.RunAsync("set-default", "second", "1.0")));
        Assert.Equal((0, "Model \"second\" unregistered"), Trimmed(await _server.RunAsync("unregister", "second")));
        Assert.Equal((1, "Model not found: second"), Trimmed(await _server.RunAsync("unregister", "second")));
    }

    [Fact]
    public async Task Stop_ends_the_server()
    {
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [] });
        var (code, text) = await server.RunAsync("stop");
        Assert.True(code == 0, text);
        Assert.Equal(0, await server.WaitForExitAsync());

        (code, text) = await server.RunAsync("stop");
        Assert.Equal(4, code);
        Assert.Contains(server.Management, text, StringComparison.Ordinal);

        (code, text) = await server.RunAsync("models");
        Assert.Equal(4, code);
        Assert.Contains("serve start --config configs/serve.yaml", text, StringComparison.Ordinal);
    }

    private static (int, string) Trimmed((int Code, string Text) result) => (result.Code, result.Text.Trim());
}
