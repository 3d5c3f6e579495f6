using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Models.Archives;

namespace Serve.Tests.Core.Models;

public sealed class ModelStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _unpacked = new();
    private readonly ModelStore _store;

    public ModelStoreTests() => _store = new ModelStore(new ServerConfiguration { ModelStore = _folder.Path }, Path.Combine(_unpacked.Path, "models"));

    public void Dispose()
    {
        _folder.Dispose();
        _unpacked.Dispose();
    }

    [Fact]
    public void Everything_in_the_store_is_listed_in_version_order()
    {
        _folder.Write("vit/2.0/model.onnx", "m");
        _folder.Write("vit/10.0/model-config.yaml", "");
        _folder.Write("vit/notes/readme.txt", "no model");
        _folder.Write("plain/model.onnx", "m");
        _folder.Write("bare.onnx", "m");
        _folder.Write("broken.mar", "no zip");
        _folder.Write(".partial/model.onnx", "m");
        _folder.Write("README.md", "");
        Directory.CreateDirectory(Path.Combine(_folder.Path, "lost+found"));
        Archive("packed.mar", "archived", "3.0");

        Assert.Equal(
        [
            ("archived", "3.0", "packed.mar", StoredModelKind.Archive),
            ("bare", "1.0", "bare.onnx", StoredModelKind.OnnxFile),
            ("broken", "1.0", "broken.mar", StoredModelKind.Archive),
            ("plain", "1.0", "plain", StoredModelKind.Folder),
            ("vit", "2.0", "vit/2.0", StoredModelKind.Folder),
            ("vit", "10.0", "vit/10.0", StoredModelKind.Folder),
        ], _store.List().Select(model => (model.Name, model.Version, model.Url, model.Kind)));
    }

    [Fact]
    public void What_is_loaded_at_start_follows_the_setting()
    {
        _folder.Write("vit/2.0/model.onnx", "m");
        _folder.Write("vit/10.0/model.onnx", "m");
        _folder.Write("bare.onnx", "m");

        Assert.Equal(["bare.onnx", "vit/2.0", "vit/10.0"], AtStartup("all"));
        Assert.Empty(AtStartup("none"));
        Assert.Equal(["vit/2.0", "vit/10.0", "missing", "bare.onnx"], AtStartup("vit", "missing", "bare.onnx", "vit/2.0"));
        Assert.Equal(["bare.onnx"], AtStartup("bare"));

        IReadOnlyList<string> AtStartup(params string[] names) => new ModelStore(new ServerConfiguration { ModelStore = _folder.Path, LoadModels = names }, _unpacked.Path).AtStartup();
    }

    [Fact]
    public void A_url_names_a_version_or_the_highest_one()
    {
        _folder.Write("vit/2.0/model.onnx", "m");
        _folder.Write("vit/10.0/model.onnx", "m");

        _folder.Write("bare.onnx", "m");
        _folder.Write("triton/1/model.onnx", "m");
        _folder.Write("triton/config.pbtxt", "name: \"triton\"");

        Assert.Equal(("bare", "1.0", "bare.onnx"), Found("bare"));
        Assert.Equal(("triton", "1", "triton/1"), Found("triton"));
        Assert.Equal(("vit", "10.0", "vit/10.0"), Found("vit"));
        Assert.Equal(("vit", "2.0", "vit/2.0"), Found("vit/2.0"));
        Assert.Equal(("vit", "2.0", "vit/2.0"), Found("vit/2.0/"));
        Assert.Equal(("vit", "2.0", "vit/2.0"), Found($"file://{_folder.Path}/vit/2.0"));
    }

    [Theory]
    [InlineData("", "empty url")]
    [InlineData("  ", "empty url")]
    [InlineData("../x.mar", "Relative path is not allowed in url: ../x.mar")]
    [InlineData("a/../../x", "Relative path is not allowed in url: a/../../x")]
    [InlineData("none.mar", "Model not found at: none.mar")]
    [InlineData("/etc/passwd", "Model not found at: /etc/passwd")]
    [InlineData("a\\b", "Model not found at: a\\b")]
    [InlineData(".hidden", "Model not found at: .hidden")]
    [InlineData("file:///etc/passwd", "Given URL file:///etc/passwd does not match any allowed URL(s). The server's configuration allows none (allowedUrls)")]
    [InlineData("file://host/x.mar", "Given URL file://host/x.mar does not match any allowed URL(s)")]
    public void A_url_of_nothing_in_the_store_is_not_found_in_TorchServes_words(string url, string message) =>
        Assert.Equal(message, Assert.Throws<ModelNotFoundException>(() => _store.Resolve(url)).Message);

    [Fact]
    public void An_allowed_file_elsewhere_is_opened_and_checked_by_its_sum()
    {
        var path = _unpacked.Write("elsewhere/net.onnx", "m");
        var store = new ModelStore(new ServerConfiguration { ModelStore = _folder.Path, AllowedUrls = [$"file://{_unpacked.Path}/elsewhere/.*"] }, Path.Combine(_unpacked.Path, "models"));
        var sum = System.Security.Cryptography.SHA256.HashData("m"u8);

        var source = store.Open($"file://{path}", sha256: sum, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(("net", $"file://{path}", false), (source.Name, source.Url, source.LiesInStore));
        Assert.Contains("its SHA-256 is", Assert.Throws<InvalidModelException>(() => store.Open($"file://{path}", sha256: new byte[32])).Message, StringComparison.Ordinal);
        Assert.Throws<ModelNotFoundException>(() => store.Open($"file://{_unpacked.Path}/other/net.onnx"));
        Assert.Throws<ModelNotFoundException>(() => store.Open($"file://{_unpacked.Path}/elsewhere/none.onnx"));
        Assert.Throws<ModelNotFoundException>(() => store.Open($"file://{_unpacked.Path}/elsewhere/%2e%2e/other/net.onnx"));
    }

    [Fact]
    public void An_encoded_way_out_of_the_store_is_not_found()
    {
        var outside = Path.GetFileName(_unpacked.Path);
        Assert.Throws<ModelNotFoundException>(() => _store.Resolve($"file://{_folder.Path}/%2e%2e/{outside}"));
        Assert.Throws<ModelNotFoundException>(() => _store.Resolve($"file://{_folder.Path}-other/x"));
    }

    [Theory]
    [InlineData("https://example.com/x.mar")]
    [InlineData("s3://bucket/x.mar")]
    public void Remote_sources_are_refused(string url)
    {
        var error = Assert.Throws<DownloadArchiveException>(() => _store.Resolve(url));
        Assert.Equal((400, "DownloadArchiveException"), (error.Status, error.Type));
        Assert.StartsWith($"Failed to download archive from: {url}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_is_opened_with_what_was_found_filled_in()
    {
        _folder.Write("vit/1.0/net.onnx", "m");
        _folder.Write("vit/1.0/index_to_name.json", "{\"0\": \"a\"}");
        _folder.Write("vit/1.0/model-config.yaml", "handler: image_classifier\nbatchSize: 4\nmaxBatchDelay: 5");

        var source = _store.Open("vit", cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(("vit", "1.0", "vit/1.0", Path.Combine(_folder.Path, "vit/1.0"), false), (source.Name, source.Version, source.Url, source.Folder, source.IsTemporary));
        Assert.Equal(("image_classifier", "net.onnx", "index_to_name.json", 4), (source.Configuration.Handler, source.Configuration.ModelFile, source.Configuration.LabelFile, source.Configuration.BatchSize));
        Assert.Equal(["handler", "batchSize", "maxBatchDelay"], source.WrittenKeys);
        Assert.Contains("maxBatchDelay: has no effect", Assert.Single(source.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_bare_onnx_file_is_a_model()
    {
        _folder.Write("net.onnx", "m");
        _folder.Write("index_to_name.json", "{}");

        var source = _store.Open("net.onnx", cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(("net", "1.0", _folder.Path), (source.Name, source.Version, source.Folder));
        Assert.Equal(("tensor", "net.onnx", null), (source.Configuration.Handler, source.Configuration.ModelFile, source.Configuration.LabelFile));
    }

    [Fact]
    public void An_archive_is_unpacked_and_removed_again()
    {
        Archive("packed.mar", "archived", "3.0");

        var source = _store.Open("packed.mar", cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(("archived", "3.0", "packed.mar", true), (source.Name, source.Version, source.Url, source.IsTemporary));
        Assert.Equal("tensor", source.Configuration.Handler);
        Assert.Equal("weights", File.ReadAllText(Path.Combine(source.Folder, source.Configuration.ModelFile!)));

        source.Dispose();
        source.Dispose();
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_unpacked.Path, "models")));
    }

    [Fact]
    public void What_a_killed_server_left_behind_goes_and_what_a_living_one_uses_stays()
    {
        var parent = Path.Combine(_unpacked.Path, "models");
        var dead = Path.Combine(parent, $"unpacked-{int.MaxValue}-abc-m-1");
        var sameNumber = Path.Combine(parent, $"unpacked-{Environment.ProcessId}-abc-m-1");
        var alive = Path.Combine(parent, $"unpacked-{Parent()}-abc-m-1");
        foreach (var folder in new[] { dead, sameNumber, alive, Path.Combine(parent, "unpacked"), Path.Combine(parent, "other") }) Directory.CreateDirectory(folder);
        Archive("packed.mar", "archived", "3.0");

        using var first = _store.Open("packed.mar", cancellation: TestContext.Current.CancellationToken);
        using var second = new ModelStore(new ServerConfiguration { ModelStore = _folder.Path }, parent).Open("packed.mar", cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(new[] { alive, Path.Combine(parent, "unpacked"), Path.Combine(parent, "other"), first.Folder, second.Folder }.Order(StringComparer.Ordinal), Directory.EnumerateDirectories(parent).Order(StringComparer.Ordinal));

        // Some process that lives and is not this one.
        static int Parent() => System.Diagnostics.Process.GetProcesses().First(process => process.Id != Environment.ProcessId).Id;
    }

    [Fact]
    public void A_name_can_be_given_that_is_not_the_models_own()
    {
        _folder.Write("vit/2.0/model.onnx", "m");

        Assert.Equal(("other", "2.0"), _store.Open("vit", "other", cancellation: TestContext.Current.CancellationToken) is var source ? (source.Name, source.Version) : default);
        Assert.Contains("The model's name \"a/b\" has characters other than letters", Assert.Throws<BadRequestException>(() => _store.Open("vit", "a/b")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_archive_that_cannot_be_served_leaves_nothing_behind()
    {
        var files = new TemporaryFolder();
        using (files)
        {
            var model = files.Write("model.onnx", "weights");
            ModelArchiver.Create(new ArchiveRequest { ModelName = "bad", SerializedFile = model, ExportPath = _folder.Path, Format = ArchiveFormat.ZipStore });
        }

        var archive = Path.Combine(_folder.Path, "bad.mar");
        using (var zip = System.IO.Compression.ZipFile.Open(archive, System.IO.Compression.ZipArchiveMode.Update)) zip.GetEntry("model.onnx")!.Delete();

        Assert.Contains("model.onnx does not exist; MAR-INF/MANIFEST.json names it (serializedFile)", Fails("bad.mar").Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_unpacked.Path, "models")));
    }

    [Theory]
    [InlineData("model-config.yaml", "labelFile: labels.json", "model-config.yaml names it (labelFile). Put the file there")]
    [InlineData("model-config.yaml", "modelFile: other.onnx", "other.onnx does not exist; model-config.yaml names it (modelFile)")]
    [InlineData("model-config.yaml", "handler: My.dll:My.Handler", "My.dll does not exist; My.dll:My.Handler names it (the assembly of handler)")]
    [InlineData("model-config.yaml", "modelFile: model.pth", "holds PyTorch weights. Serve runs ONNX models; export it in Python with torch.onnx.export")]
    [InlineData("other.onnx", "x", "has 2 ONNX files (model.onnx, other.onnx); name one of them by modelFile")]
    [InlineData("index_to_name.json", "{\"a\": 1}", "index_to_name.json:1:2: \"a\" is no class index")]
    [InlineData("MAR-INF/MANIFEST.json", "{\"model\": {\"handler\": \"my_handler.py\"}}", "my_handler.py is a Python handler, and Serve runs no Python; export the model to ONNX")]
    [InlineData("MAR-INF/MANIFEST.json", "{\"model\": {\"modelFile\": \"model.py\", \"serializedFile\": \"model.pt\"}}", "model.pt holds PyTorch weights")]
    [InlineData("MAR-INF/MANIFEST.json", "{\"model\": {\"serializedFile\": \"model.pt\"}}", "holds PyTorch weights")]
    [InlineData("MAR-INF/MANIFEST.json", "{\"model\": {\"serializedFile\": \"../../x.onnx\"}}", "serializedFile \"../../x.onnx\" (MAR-INF/MANIFEST.json) contains the segment ..")]
    [InlineData("MAR-INF/MANIFEST.json", "{\"model\": {\"configFile\": \"/etc/passwd\"}}", "configFile \"/etc/passwd\" (MAR-INF/MANIFEST.json) is absolute")]
    public void What_is_missing_or_wrong_in_a_folder_is_named(string file, string text, string message)
    {
        _folder.Write("m/1.0/model.onnx", "m");
        _folder.Write($"m/1.0/{file}", text);

        Assert.Contains(message, Fails("m").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_key_in_the_configuration_is_named_with_its_line()
    {
        _folder.Write("m/model-config.yaml", "\nbatchsiz: 5\n");

        var error = Assert.Throws<ConfigurationException>(() => _store.Open("m"));
        Assert.Equal($"{_folder.Path}/m/model-config.yaml:2:1: batchsiz: there is no such setting. Did you mean 'batchSize'?", error.Message);
    }

    [Fact]
    public void A_folder_without_a_model_says_what_is_missing()
    {
        _folder.Write("m/readme.txt", "");
        Assert.Contains("is no model: there is neither model-config.yaml, nor an *.onnx file", Fails("m").Message, StringComparison.Ordinal);

        _folder.Write("n/model-config.yaml", "handler: image_classifier");
        Assert.Contains("has no *.onnx file, which the handler image_classifier needs", Fails("n").Message, StringComparison.Ordinal);

        _folder.Write("p/model.pt", "");
        Assert.Contains("model.pt holds PyTorch weights", Fails("p").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_users_handler_needs_no_model_file()
    {
        _folder.Write("m/My.dll", "");
        _folder.Write("m/model-config.yaml", "handler: My.dll:My.Handler");

        Assert.Null(_store.Open("m", cancellation: TestContext.Current.CancellationToken).Configuration.ModelFile);
    }

    [Fact]
    public void Names_that_do_not_fit_into_urls_are_refused()
    {
        _folder.Write("my model/model.onnx", "");
        Assert.Contains("the model's name \"my model\" has characters other than letters", Fails("my model").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_store_that_is_not_there_is_said_to_be()
    {
        var store = new ModelStore(new ServerConfiguration { ModelStore = Path.Combine(_folder.Path, "none") }, _unpacked.Path);
        Assert.Contains("does not exist; make the folder, or set modelStore", Assert.Throws<ModelNotFoundException>(() => store.List()).Message, StringComparison.Ordinal);
    }

    private (string, string, string) Found(string url) => _store.Resolve(url) is var model ? (model.Name, model.Version, model.Url) : default;

    private InvalidModelException Fails(string url) => Assert.Throws<InvalidModelException>(() => _store.Open(url));

    private void Archive(string file, string name, string version)
    {
        using var files = new TemporaryFolder();
        var model = files.Write("model.onnx", "weights");
        var made = ModelArchiver.Create(new ArchiveRequest { ModelName = name, Version = version, SerializedFile = model, ExportPath = _folder.Path });
        File.Move(made, Path.Combine(_folder.Path, file));
    }
}
