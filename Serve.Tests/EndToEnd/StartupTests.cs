using System.IO.Compression;
using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>Starts that fail, or that find something missing: one clear word to the operator.</summary>
public sealed class StartupTests(ITestOutputHelper output)
{
    private static readonly string[] FreePorts = ["--inference-address", "http://127.0.0.1:0", "--management-address", "http://127.0.0.1:0", "--metrics-address", "http://127.0.0.1:0", "--grpc-inference-address", "http://127.0.0.1:0", "--grpc-management-address", "http://127.0.0.1:0"];

    [Fact]
    public async Task All_errors_of_a_configuration_are_told_at_once_with_their_lines()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("serve.yaml", "inferenceAddress: http://0.0.0.0:8080\nmaxRequestSize: lots\nheartbeatTimout: 5s\nlogLevel: loud\n");

        var (code, text) = await Cli.RunAsync("start", "--config", file);

        Assert.NotEqual(0, code);
        foreach (var fault in (string[])[":1", ":2", ":3", ":4", "lots", "heartbeatTimeout", "loud", "auth"]) Assert.Contains(fault, text, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_configuration_file_that_is_not_there_is_named()
    {
        var (code, text) = await Cli.RunAsync("start", "--config", "/nowhere/serve.yaml");
        Assert.NotEqual(0, code);
        Assert.Contains("/nowhere/serve.yaml", text, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_executable_that_is_not_there_is_named()
    {
        using var folder = new TemporaryFolder();
        var (code, text) = await Cli.RunAsync(["start", "--worker-executable", "/nowhere/worker", "--model-store", folder.Path, "--runtime-folder", folder["run"], .. FreePorts]);
        Assert.NotEqual(0, code);
        Assert.Contains("/nowhere/worker", text, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_its_model_store_says_so_and_can_be_told_to_stop()
    {
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--model-store", "/nowhere/models"] }, output);
        var line = await server.WaitForLogAsync(line => line.Contains("/nowhere/models", StringComparison.Ordinal));
        Assert.Contains("does not exist; make the folder, or set modelStore", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", line, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/ping")).Status);
        Assert.Equal(0, await server.StopAsync());
    }

    [Fact]
    public async Task A_full_disk_below_the_runtime_folder_is_told_and_survived()
    {
        using var disk = SmallDisk.Mount("2m");
        Assert.SkipWhen(disk is null, SmallDisk.NeedsRoot);

        // Left free: what the server writes of itself, nothing for a model.
        await using var server = await HandlerServer.StartAsync(output, "--runtime-folder", disk!["run"]);
        HandlerModels.Write(server.ModelStore, "archived", "EchoHandler");
        ZipFile.CreateFromDirectory(Path.Combine(server.ModelStore, "archived", "1.0"), Path.Combine(server.ModelStore, "packed.mar"));
        var fill = disk.Fill();

        var refused = await server.RegisterAsync("packed.mar");
        Assert.Equal((507, true), ((int)refused.Status, refused.Error.Message.Contains("packed.mar", StringComparison.Ordinal)));
        var loaded = await server.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v2/repository/models/brought/load")
        {
            Content = new StringContent($$$"""{"parameters":{"config":"{}","file:1/model.onnx":"{{{Convert.ToBase64String(new byte[100_000])}}}"}}"""),
        });
        Assert.Equal((507, true), ((int)loaded.Status, loaded.Text.Contains("no room for the files of model brought", StringComparison.Ordinal)));
        Assert.DoesNotContain(Directory.GetFileSystemEntries(disk["run"]), entry => Path.GetFileName(entry).StartsWith("unpacked", StringComparison.Ordinal));

        File.Delete(fill);
        var registered = await server.RegisterAsync("packed.mar");
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);
    }
}
