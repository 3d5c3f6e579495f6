using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using Serve.Tests.Management.Sources;

namespace Serve.Tests.EndToEnd;

/// <summary>What the management API has changed is there again after the server was killed.</summary>
public sealed class SnapshotTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Every_kind_of_change_survives_a_kill()
    {
        await using var server = await StartAsync("--load-models", "stored");
        foreach (var version in (string[])["1.0", "2.0"])
        {
            Write(server.ModelStore, "stored", version);
            Write(server.ModelStore, "added", version);
        }

        // Started before its models were there: what loadModels names comes with the next start.
        await server.KillAndRestartAsync();
        await AllAsync(server, "stored", "1.0 0-1", "2.0* 0-1");

        await OkAsync(server, HttpMethod.Post, "/models?url=added/1.0&initial_workers=0&batch_size=7&max_batch_delay=9&response_timeout=5");
        await OkAsync(server, HttpMethod.Post, "/models?url=added/2.0&initial_workers=0&model_name=other");
        await OkAsync(server, HttpMethod.Put, "/models/added?min_worker=0&max_worker=4");
        await OkAsync(server, HttpMethod.Put, "/models/stored/1.0/set-default");
        await OkAsync(server, HttpMethod.Delete, "/models/stored/2.0");
        await server.KillAndRestartAsync();

        await AllAsync(server, "added", "1.0* 0-4");
        await AllAsync(server, "other", "2.0* 0-1");
        await AllAsync(server, "stored", "1.0* 0-1");
        var added = await server.DescribeAsync("added");
        Assert.Equal((7, 9, 5), (added.BatchSize, added.MaxBatchDelay, added.ResponseTimeout));

        // A new version of a changed model is loaded; its default stays. One that was unregistered comes back when it is registered.
        Write(server.ModelStore, "stored", "3.0");
        await OkAsync(server, HttpMethod.Delete, "/models/other");
        await server.KillAndRestartAsync();
        await AllAsync(server, "stored", "1.0* 0-1", "3.0 0-1");
        Assert.Equal(HttpStatusCode.NotFound, (await server.ManageAsync(HttpMethod.Get, "/models/other")).Status);
        await OkAsync(server, HttpMethod.Post, "/models?url=stored/2.0&initial_workers=0");
        Assert.Equal(0, await server.StopAsync());
        await server.RestartAsync();
        await AllAsync(server, "stored", "1.0* 0-1", "2.0 0-1", "3.0 0-1");
    }

    [Fact]
    public async Task The_last_good_snapshot_counts_and_what_cannot_be_opened_is_not_forgotten()
    {
        await using var server = await StartAsync("--load-models", "none");
        foreach (var name in (string[])["a", "b", "c"])
        {
            Write(server.ModelStore, name, "1.0");
            await OkAsync(server, HttpMethod.Post, $"/models?url={name}/1.0&initial_workers=0");
        }

        var newest = Snapshots(server)[^1];
        await server.KillAndRestartAsync(() => Flip(newest));
        await server.WaitForLogAsync(line => line.Contains($"the snapshot {newest} is damaged", StringComparison.Ordinal));
        await AllAsync(server, "a", "1.0* 0-1");
        await AllAsync(server, "b", "1.0* 0-1");
        Assert.Equal(HttpStatusCode.NotFound, (await server.ManageAsync(HttpMethod.Get, "/models/c")).Status);

        // Away for a start, and changed meanwhile: a is still known afterwards.
        var folder = Path.Combine(server.ModelStore, "a");
        await server.KillAndRestartAsync(() => Directory.Move(folder, folder + "-away"));
        await server.WaitForLogAsync(line => line.Contains("a/1.0 is not served: Model not found at: a/1.0", StringComparison.Ordinal));
        await OkAsync(server, HttpMethod.Delete, "/models/b");
        await server.KillAndRestartAsync(() => Directory.Move(folder + "-away", folder));
        await AllAsync(server, "a", "1.0* 0-1");
        Assert.Equal(HttpStatusCode.NotFound, (await server.ManageAsync(HttpMethod.Get, "/models/b")).Status);
        Assert.True(Snapshots(server).Count <= 5);
    }

    [Fact]
    public async Task A_model_from_another_machine_is_kept_as_long_as_it_is_registered()
    {
        using var host = new FileHost();
        var archive = Archive();
        host.Serve("/m.mar", archive);
        host.Serve("/broken.mar", archive[..^30]);
        await using var server = await StartAsync("--load-models", "none", "--allowed-urls", "http://127\\.0\\.0\\.1:[0-9]+/.*", "--allowed-private-hosts", "127.0.0.1");
        var downloads = Path.Combine(server.ModelStore, ".snapshots", "downloads");

        var broken = await server.ManageAsync(HttpMethod.Post, $"/models?url={host.Url("/broken.mar")}");
        Assert.Equal((HttpStatusCode.BadRequest, "InvalidModelException"), (broken.Status, broken.Error.Type));
        var wrong = await server.ManageAsync(HttpMethod.Post, $"/models?url={host.Url("/m.mar")}&sha256={new string('0', 64)}");
        Assert.Contains("its SHA-256 is", wrong.Error.Message, StringComparison.Ordinal);
        var elsewhere = await server.ManageAsync(HttpMethod.Post, $"/models?url=http://localhost:{host.Port}/m.mar");
        Assert.Equal((HttpStatusCode.NotFound, $"Given URL http://localhost:{host.Port}/m.mar does not match any allowed URL(s)"), (elsewhere.Status, elsewhere.Error.Message));
        Assert.Equal("Failed to download archive from: s3://bucket/m.mar. Only file, http and https URLs are understood; give a pre-signed https URL of the object (docs/rest-api.md).",
            (await server.ManageAsync(HttpMethod.Post, "/models?url=s3://bucket/m.mar")).Error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(downloads));
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(server.RuntimeFolder), entry => Path.GetFileName(entry).StartsWith("unpacked", StringComparison.Ordinal));

        await OkAsync(server, HttpMethod.Post, $"/models?url={Uri.EscapeDataString(host.Url("/m.mar?signature=secret"))}&initial_workers=0&sha256={Convert.ToHexString(SHA256.HashData(archive))}");
        var twice = await server.ManageAsync(HttpMethod.Post, $"/models?url={host.Url("/m.mar")}");
        Assert.Equal((HttpStatusCode.InternalServerError, "Model file already exists m.mar"), (twice.Status, twice.Error.Message));
        Assert.Equal(host.Url("/m.mar?…"), (await server.DescribeAsync("far")).ModelUrl);
        File.WriteAllText(Path.Combine(downloads, "x.mar.partial"), "left by a killed server");

        await server.KillAndRestartAsync(host.Dispose);

        await AllAsync(server, "far", "3.0* 0-0");
        Assert.Equal(["m.mar"], Directory.EnumerateFiles(downloads).Select(Path.GetFileName));
        Assert.DoesNotContain("secret", string.Concat(Snapshots(server).Select(File.ReadAllText)), StringComparison.Ordinal);
        Assert.DoesNotContain(server.Log, line => line.Contains("secret", StringComparison.Ordinal));

        // A load that is refused leaves what is there, of which no other copy may exist.
        using var load = new HttpRequestMessage(HttpMethod.Post, server.Inference + "/v2/repository/models/far/load") { Content = new StringContent("""{"parameters":{"config":"{\"max_batch_size\":5000}"}}""") };
        Assert.Equal(HttpStatusCode.BadRequest, (await server.SendAsync(load)).Status);
        Assert.Equal(["m.mar"], Directory.EnumerateFiles(downloads).Select(Path.GetFileName));

        // Nor does one go because the snapshot that names it cannot be read for once.
        var newest = Snapshots(server)[^1];
        await server.KillAndRestartAsync(() => Flip(newest));
        Assert.Equal(HttpStatusCode.NotFound, (await server.ManageAsync(HttpMethod.Get, "/models/far")).Status);
        await server.KillAndRestartAsync(() => Flip(newest));
        await AllAsync(server, "far", "3.0* 0-0");

        await OkAsync(server, HttpMethod.Delete, "/models/far");
        Assert.Empty(Directory.EnumerateFileSystemEntries(downloads));
    }

    [Fact]
    public async Task A_change_that_cannot_be_saved_is_answered_so_holds_and_is_saved_with_the_next()
    {
        await using var server = await StartAsync("--load-models", "none");
        await server.ServeAsync("going", "EchoHandler");
        Write(server.ModelStore, "new", "1.0");
        Write(server.ModelStore, "next", "1.0");

        // Not even root can write into what is no folder.
        var (folder, away) = (Path.Combine(server.ModelStore, ".snapshots"), Path.Combine(server.RuntimeFolder, "away"));
        Directory.Move(folder, away);
        File.WriteAllText(folder, "");
        await NotSavedAsync(HttpMethod.Post, "/models?url=new&initial_workers=0");
        await NotSavedAsync(HttpMethod.Put, "/models/new?min_worker=0&max_worker=3");
        await NotSavedAsync(HttpMethod.Delete, "/models/going");
        await AllAsync(server, "new", "1.0* 0-3");
        Assert.Equal("", await VersionsAsync(server, "going"));
        await Eventually.HoldsAsync("its worker has left", () => Processes.ChildrenOf(server.Pid).Count == 0);

        File.Delete(folder);
        Directory.Move(away, folder);
        await OkAsync(server, HttpMethod.Post, "/models?url=next&initial_workers=0");
        await server.KillAndRestartAsync();
        await AllAsync(server, "new", "1.0* 0-3");
        await AllAsync(server, "next", "1.0* 0-1");
        Assert.Equal("", await VersionsAsync(server, "going"));

        async Task NotSavedAsync(HttpMethod method, string path)
        {
            var answer = await server.ManageAsync(method, path);
            Assert.Equal(HttpStatusCode.InternalServerError, answer.Status);
            Assert.StartsWith("The change was made, but it could not be saved (snapshotFolder) and will be lost when the server restarts: ", answer.Error.Message, StringComparison.Ordinal);
            await server.WaitForLogAsync(line => line.Contains("error Models: The change was made, but it could not be saved", StringComparison.Ordinal));
            Assert.True(await server.MetricAsync("serve_snapshot_failures_total") > 0);
        }
    }

    [Fact]
    public async Task Without_snapshots_nothing_is_kept_and_one_server_at_a_time_keeps_them()
    {
        await using var first = await StartAsync("--load-models", "none");
        await using var second = await StartAsync("--load-models", "none", "--model-store", first.ModelStore);
        await second.WaitForLogAsync(line => line.Contains("what the management API changes will not survive a restart", StringComparison.Ordinal));
        Assert.Equal(0, await second.StopAsync());

        await using var without = await StartAsync("--load-models", "none", "--ncs");
        Write(without.ModelStore, "a", "1.0");
        await OkAsync(without, HttpMethod.Post, "/models?url=a&initial_workers=0");
        Assert.False(Directory.Exists(Path.Combine(without.ModelStore, ".snapshots")));

        var (code, text) = await Cli.RunAsync("start", "--snapshot-folder", Path.Combine(first.ModelStore, ".snapshots"), "--model-store", first.ModelStore, "--runtime-folder", Path.Combine(first.RuntimeFolder, "other"),
            "--inference-address", "http://127.0.0.1:0", "--management-address", "http://127.0.0.1:0", "--metrics-address", "http://127.0.0.1:0", "--grpc-inference-address", "http://127.0.0.1:0", "--grpc-management-address", "http://127.0.0.1:0");
        Assert.Equal(1, code);
        Assert.Contains("(snapshotFolder) cannot be used; perhaps another server uses it", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_TorchServe_had_registered_is_registered_after_an_import()
    {
        await using var server = await StartAsync("--load-models", "none");
        File.WriteAllBytes(Path.Combine(server.ModelStore, "far.mar"), Archive());
        Assert.Equal(0, await server.StopAsync());
        using var folder = new TemporaryFolder();
        var properties = folder.Write("config.properties", $$$"""
            inference_address=http://127.0.0.1:8080
            netty_client_threads=4
            model_store={{{server.ModelStore}}}
            model_snapshot={"name": "x.cfg", "modelCount": 1, "models": {"far": {"3.0": {"defaultVersion": true, "marName": "far.mar", "minWorkers": 0, "maxWorkers": 5, "batchSize": 6} } } }
            """);

        var (code, text) = await Cli.RunAsync("import-config", properties, "--output", folder["serve.yaml"]);

        Assert.True(code == 0, text);
        Assert.Contains($"{properties}:2: netty_client_threads: ignored: Serve chooses its threads by itself", text, StringComparison.Ordinal);
        Assert.Contains("models: far 3.0: registered from far.mar at the next start", text, StringComparison.Ordinal);
        Assert.Contains($"modelStore: {server.ModelStore}", File.ReadAllText(folder["serve.yaml"]), StringComparison.Ordinal);
        Assert.Equal(1, (await Cli.RunAsync("import-config", properties, "--output", folder["serve.yaml"])).Code);
        Assert.Contains("has snapshots of Serve's already", (await Cli.RunAsync("import-config", properties, "--output", folder["other.yaml"])).Text, StringComparison.Ordinal);
        Assert.False(File.Exists(folder["other.yaml"]));
        await server.RestartAsync();
        await AllAsync(server, "far", "3.0* 0-5");
        Assert.Equal(6, (await server.DescribeAsync("far")).BatchSize);
    }

    [Fact]
    public async Task A_model_of_TorchServe_has_the_name_that_load_models_gave_it_and_no_other()
    {
        using var folder = new TemporaryFolder();
        folder.Write("store/far.mar", Archive());
        var properties = folder.Write("config.properties", $$$"""
            inference_address=http://127.0.0.1:0
            management_address=http://127.0.0.1:0
            metrics_address=http://127.0.0.1:0
            grpc_inference_port=0
            grpc_management_port=0
            model_store={{{folder["store"]}}}
            load_models=near=far.mar
            models={"near": {"3.0": {"defaultVersion": true, "marName": "far.mar", "minWorkers": 0, "maxWorkers": 5} } }
            """);
        var (code, text) = await Cli.RunAsync("import-config", properties, "--output", folder["serve.yaml"]);
        Assert.True(code == 0, text);
        Assert.Contains("near=far.mar is registered from the snapshot", text, StringComparison.Ordinal);
        Assert.DoesNotContain("is not kept", text, StringComparison.Ordinal);

        await using var server = await ServerFixture.StartAsync(new ServerOptions
        {
            Models = [],
            Flags = ["--config", folder["serve.yaml"]],
            FlagsFromConfiguration = ["--model-store", "--inference-address", "--management-address", "--metrics-address", "--grpc-inference-address", "--grpc-management-address"],
        }, output);
        await Eventually.BecomesAsync("all models are registered", async () => (await server.GetAsync("/startupz")).Status, status => status == HttpStatusCode.OK);
        await AllAsync(server, "near", "3.0* 0-5");
        Assert.Equal(HttpStatusCode.NotFound, (await server.ManageAsync(HttpMethod.Get, "/models/far")).Status);
    }

    /// <summary>A version that is registered without workers: nothing of it is loaded.</summary>
    internal static void Write(string store, string name, string version)
    {
        var folder = Directory.CreateDirectory(Path.Combine(store, name, version)).FullName;
        File.WriteAllText(Path.Combine(folder, "model.onnx"), "");
        File.WriteAllText(Path.Combine(folder, "model-config.yaml"), "minWorkers: 0\nmaxWorkers: 1\n");
    }

    /// <summary>Waits until a model's versions are these: name, * for the default, fewest and most workers.</summary>
    internal static Task AllAsync(ServerFixture server, string model, params string[] versions) =>
        Eventually.BecomesAsync($"{model} has the versions {string.Join(", ", versions)}", () => VersionsAsync(server, model), all => all == string.Join(", ", versions));

    internal static async Task<string> VersionsAsync(ServerFixture server, string model)
    {
        var answer = await server.ManageAsync(HttpMethod.Get, $"/models/{model}/all");
        if (answer.Status == HttpStatusCode.NotFound) return "";
        return string.Join(", ", answer.Json.EnumerateArray().Select(version =>
            $"{version.GetProperty("modelVersion").GetString()}{(version.GetProperty("defaultVersion").GetBoolean() ? "*" : "")} {version.GetProperty("minWorkers").GetInt32()}-{version.GetProperty("maxWorkers").GetInt32()}"));
    }

    private Task<ServerFixture> StartAsync(params string[] flags) => ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = flags }, output);

    private static void Flip(string file)
    {
        var bytes = File.ReadAllBytes(file);
        bytes[^5] ^= 1;
        File.WriteAllBytes(file, bytes);
    }

    private static IReadOnlyList<string> Snapshots(ServerFixture server) => [.. Directory.EnumerateFiles(Path.Combine(server.ModelStore, ".snapshots"), "*.snapshot").Order(StringComparer.Ordinal)];

    private static async Task OkAsync(ServerFixture server, HttpMethod method, string path)
    {
        var answer = await server.ManageAsync(method, path);
        Assert.True((int)answer.Status is 200 or 202, answer.Text);
    }

    private static byte[] Archive()
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create))
        {
            using (var model = zip.CreateEntry("model.onnx").Open()) model.Write("weights"u8);
            using var manifest = zip.CreateEntry("MAR-INF/MANIFEST.json").Open();
            manifest.Write("""{"model": {"modelName": "far", "modelVersion": "3.0", "serializedFile": "model.onnx", "handler": "tensor"}}"""u8);
        }

        return bytes.ToArray();
    }
}
