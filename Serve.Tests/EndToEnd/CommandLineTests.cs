using System.Diagnostics;
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
    public async Task Predict_gives_bytes_as_they_are()
    {
        await _server.ServeAsync("bytes", "BigOutputHandler");
        using var files = new TemporaryFolder();
        var input = files.Write("input", "100000");
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "serve"), ["predict", "bytes", input, "--management-address", _server.Management, "--inference-address", _server.Inference]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        using var answer = new MemoryStream();
        await process.StandardOutput.BaseStream.CopyToAsync(answer, TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(0, process.ExitCode);
        Assert.Equal(Enumerable.Range(0, 100_000).Select(i => (byte)(i % 251)), answer.ToArray());
        await _server.ManageAsync(HttpMethod.Delete, "/models/bytes");
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
    public async Task A_probe_is_an_exit_code()
    {
        Assert.Equal((0, "OK"), Trimmed(await _server.RunAsync("status", "--probe", "ready")));
        var (code, text) = await _server.RunAsync("status", "--probe", "ready", "--json");
        var report = JsonDocument.Parse(text).RootElement;
        Assert.Equal((0, "ready", true, "OK"), (code, report.GetProperty("probe").GetString(), report.GetProperty("passed").GetBoolean(), report.GetProperty("status").GetString()));
        Assert.Equal(4, (await Cli.RunAsync("status", "--probe", "live", "--inference-address", "http://127.0.0.1:1")).Code);
        Assert.Equal(2, (await Cli.RunAsync("status", "--probe", "well")).Code);
    }

    [Fact]
    public async Task Top_shows_models_and_workers_once_where_nobody_watches()
    {
        var (code, text) = await _server.RunAsync("top");
        Assert.Equal(0, code);
        Assert.StartsWith("Healthy  serve ", text, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^fashion-vit/1\.0\* +Ready +0 +0 +- +- +0 +-/32 ", text);
        Assert.Matches($@"(?m)^9\d+ +fashion-vit/1\.0 +Ready +{(await _server.WorkerPidsAsync("fashion-vit"))[0]} +cpu:0 ", text);

        (code, text) = await _server.RunAsync("top", "--once", "--json");
        Assert.Equal(0, code);
        Assert.Equal("fashion-vit", JsonDocument.Parse(text).RootElement.GetProperty("models")[0].GetProperty("name").GetString());
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
    public async Task An_archive_can_be_registered()
    {
        var source = Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0");
        var (code, text) = await Cli.RunAsync("archive", "-n", "packed", "-v", "3.1", "-s", Path.Combine(source, "model.onnx"), "-c", Path.Combine(source, "model-config.yaml"),
            "--extra-files", Path.Combine(source, "index_to_name.json"), "-o", _server.ModelStore);
        Assert.Equal((0, $"Packed packed 3.1 into {Path.Combine(_server.ModelStore, "packed.mar")}"), (code, text.Trim()));

        Assert.Equal((0, "Model \"packed\" Version: 3.1 registered with 1 initial workers"), Trimmed(await _server.RunAsync("register", "packed.mar", "--initial-workers", "1")));
        (code, text) = await _server.RunAsync("predict", "packed", Boot);
        Assert.Equal(0, code);
        Assert.StartsWith("Ankle boot", text, StringComparison.Ordinal);
        Assert.Equal(0, (await _server.RunAsync("unregister", "packed")).Code);
    }

    [Fact]
    public async Task A_created_model_can_be_registered()
    {
        var (code, text) = await Cli.RunAsync("models", "create", "vit_ti_16", "--seed", "7", "--store", _server.ModelStore);
        Assert.True(code == 0, text);
        Assert.Contains("5.7 million parameters", text, StringComparison.Ordinal);
        Assert.Equal(1, (await Cli.RunAsync("models", "create", "vit_ti_16", "--store", _server.ModelStore)).Code);
        (code, text) = await _server.RunAsync("register", "vit_ti_16", "--initial-workers", "0");
        Assert.Equal(0, code);
        Assert.Equal(
            ["Model \"vit_ti_16\" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the model.", "Give it a worker with: serve scale vit_ti_16 1 --version 1.0"],
            text.Trim().Split(Environment.NewLine));
        Assert.Equal(0, (await _server.RunAsync("unregister", "vit_ti_16")).Code);
    }

    [Fact]
    public async Task A_model_is_created_in_the_store_that_the_environment_names()
    {
        using var store = new TemporaryFolder();

        // No server could start like this, and none is needed.
        var variables = new Dictionary<string, string> { ["SERVE_MODEL_STORE"] = store.Path, ["SERVE_INFERENCE_ADDRESS"] = "http://0.0.0.0:8080" };
        var (code, text) = await Cli.RunAsync(variables, "models", "create", "vit_ti_16");
        Assert.True(code == 0, text);
        Assert.True(File.Exists(store["vit_ti_16", "1.0", "model.onnx"]), text);
    }

    [Fact]
    public async Task A_model_whose_creation_is_interrupted_leaves_nothing_in_the_store()
    {
        if (OperatingSystem.IsWindows()) return;
        using var store = new TemporaryFolder();
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "serve"), ["models", "create", "vit_l_16", "--store", store.Path]) { RedirectStandardError = true })!;
        await Eventually.HoldsAsync("it writes", () => Directory.EnumerateFiles(store.Path, "*", SearchOption.AllDirectories).Any());
        Signals.Interrupt(process.Id);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((130, "Interrupted."), (process.ExitCode, errors.Trim()));
        Assert.Empty(Directory.EnumerateFileSystemEntries(store.Path));
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
