using System.Collections.Concurrent;
using System.IO.Compression;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Models.Archives;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Core.Models.Archives;

public sealed class ModelArchiverTests : IDisposable
{
    private readonly TemporaryFolder _files = new();
    private readonly TemporaryFolder _store = new();

    public void Dispose()
    {
        _files.Dispose();
        _store.Dispose();
    }

    [Theory]
    [InlineData(ArchiveFormat.Default, "m.mar")]
    [InlineData(ArchiveFormat.ZipStore, "m.mar")]
    [InlineData(ArchiveFormat.Tgz, "m.tar.gz")]
    [InlineData(ArchiveFormat.NoArchive, "m")]
    public void What_is_packed_is_what_the_store_opens(ArchiveFormat format, string name)
    {
        var made = ModelArchiver.Create(new ArchiveRequest
        {
            ModelName = "m",
            Version = "2.1",
            Handler = "image_classifier",
            SerializedFile = _files.Write("net.onnx", new string('w', 1000)),
            ExtraFiles = [_files.Write("index_to_name.json", "{\"0\": \"a\"}"), Path.GetDirectoryName(_files.Write("extra/deep/x.txt", "x"))! + "/.."],
            ConfigFile = _files.Write("my-config.yaml", "batchSize: 3"),
            ModelFile = _files.Write("net.py", "class Net: pass"),
            RequirementsFile = _files.Write("requirements.txt", "timm"),
            Runtime = "python3",
            ExportPath = _store.Path,
            Format = format,
        });

        Assert.Equal(Path.Combine(_store.Path, name), made);
        Assert.Equal([made], Directory.EnumerateFileSystemEntries(_store.Path));

        var source = new ModelStore(new ServerConfiguration { ModelStore = _store.Path }, _files.Path).Open(name, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(("m", "2.1"), (source.Name, source.Version));
        Assert.Equal(("image_classifier", "net.onnx", "index_to_name.json", 3), (source.Configuration.Handler, source.Configuration.ModelFile, source.Configuration.LabelFile, source.Configuration.BatchSize));
        Assert.Equal("x", File.ReadAllText(Path.Combine(source.Folder, "deep/x.txt")));
        Assert.Equal(("python3", "net.py", "requirements.txt"), (source.Manifest!.Runtime, source.Manifest.ModelFile, source.Manifest.RequirementsFile));
    }

    [Fact]
    public void The_weights_beside_a_model_are_packed_with_it()
    {
        var model = _files.Write("net.onnx", "m");
        _files.Write("net.onnx.data", "w");

        using var zip = ZipFile.OpenRead(ModelArchiver.Create(new ArchiveRequest { ModelName = "m", SerializedFile = model, ExportPath = _store.Path }));
        Assert.Equal([ModelManifest.EntryName, "net.onnx", "net.onnx.data"], zip.Entries.Select(entry => entry.FullName));
    }

    [Fact]
    public void A_handlers_assembly_is_packed_from_its_path()
    {
        var assembly = _files.Write("bin/My.dll", "il");

        using var zip = ZipFile.OpenRead(ModelArchiver.Create(new ArchiveRequest { ModelName = "m", Handler = $"{assembly}:My.Handler", ExportPath = _store.Path }));

        Assert.NotNull(zip.GetEntry("My.dll"));
        using var manifest = new StreamReader(zip.GetEntry(ModelManifest.EntryName)!.Open());
        Assert.Contains("\"handler\": \"My.dll:My.Handler\"", manifest.ReadToEnd(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_archive_that_is_there_is_replaced_only_by_force()
    {
        var request = new ArchiveRequest { ModelName = "m", SerializedFile = _files.Write("net.onnx", "m"), ExportPath = _store.Path };
        ModelArchiver.Create(request);

        Assert.Contains("m.mar exists already; remove it, or replace it with --force", Fails(request), StringComparison.Ordinal);
        ModelArchiver.Create(request with { Force = true });
        ModelArchiver.Create(request with { Format = ArchiveFormat.NoArchive });
        ModelArchiver.Create(request with { Format = ArchiveFormat.NoArchive, Force = true });
    }

    [Fact]
    public void A_folder_with_versions_or_without_a_model_is_not_replaced_by_force()
    {
        var request = new ArchiveRequest { ModelName = "m", SerializedFile = _files.Write("net.onnx", "m"), ExportPath = _store.Path, Format = ArchiveFormat.NoArchive, Force = true };
        string[] kept = [_store.Write("m/1.0/model.onnx", "1"), _store.Write("m/2.0/model-config.yaml", ""), _store.Write("notes/plan.txt", "p"), _store.Write("file", "f")];

        Assert.Contains("m holds versions (1.0, 2.0), which --force does not delete; give another --export-path, or remove them.", Fails(request), StringComparison.Ordinal);
        Assert.Contains("notes is a folder without a model, which --force does not replace", Fails(request with { ModelName = "notes" }), StringComparison.Ordinal);
        Assert.Contains("file is a file, which --force does not replace by a folder", Fails(request with { ModelName = "file" }), StringComparison.Ordinal);
        Assert.Equal(kept.Order(StringComparer.Ordinal), Directory.EnumerateFiles(_store.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));

        Directory.CreateDirectory(_store["empty"]);
        ModelArchiver.Create(request with { ModelName = "empty" });
    }

    [Fact]
    public void A_folder_in_a_model_is_no_version_where_the_new_one_has_it_too()
    {
        var part = Path.GetDirectoryName(Path.GetDirectoryName(_files.Write("extra/encoder/encoder.onnx", "e")))!;
        var request = new ArchiveRequest { ModelName = "m", SerializedFile = _files.Write("net.onnx", "m"), ExtraFiles = [part], ExportPath = _store.Path, Format = ArchiveFormat.NoArchive };
        ModelArchiver.Create(request);

        ModelArchiver.Create(request with { Force = true });
        Assert.True(File.Exists(_store["m", "encoder", "encoder.onnx"]));
        Assert.Contains("m holds versions (encoder)", Fails(request with { ExtraFiles = [], Force = true }), StringComparison.Ordinal);
        Assert.Equal([_store["m"]], Directory.EnumerateFileSystemEntries(_store.Path));
    }

    [Fact]
    public void A_folder_whose_place_nothing_takes_keeps_what_it_has()
    {
        var kept = _store.Write("m/model.onnx", "old");

        Assert.Throws<DirectoryNotFoundException>(() => ModelArchiver.PublishFolder(_store["nothing"], _store["m"]));
        Assert.Equal([kept], Directory.EnumerateFiles(_store.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void What_could_not_be_served_is_not_packed()
    {
        var model = _files.Write("net.onnx", "m");
        var request = new ArchiveRequest { ModelName = "m", SerializedFile = model, ExportPath = _store.Path };

        Assert.Contains("nothing.onnx does not exist", Fails(request with { SerializedFile = "nothing.onnx" }), StringComparison.Ordinal);
        Assert.Contains("PyTorch weights", Fails(request with { SerializedFile = _files.Write("net.pt", "") }), StringComparison.Ordinal);
        Assert.Contains("--handler: my.py is a Python handler", Fails(request with { Handler = "my.py" }), StringComparison.Ordinal);
        Assert.Contains("My.dll does not exist", Fails(request with { Handler = "My.dll:My.Handler" }), StringComparison.Ordinal);
        Assert.Contains("The model's name \"a/b\" has characters other than", Fails(request with { ModelName = "a/b" }), StringComparison.Ordinal);
        Assert.Contains("would both be net.onnx", Fails(request with { ExtraFiles = [_files.Write("other/net.onnx", "x")] }), StringComparison.Ordinal);
        Assert.Throws<ConfigurationException>(() => ModelArchiver.Create(request with { ConfigFile = _files.Write("c.yaml", "bachSize: 1") }));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_store.Path));
    }

    [Theory]
    [InlineData(ArchiveFormat.Default)]
    [InlineData(ArchiveFormat.Tgz)]
    public void What_no_server_would_open_is_not_packed(ArchiveFormat format)
    {
        var request = new ArchiveRequest { ModelName = "m", SerializedFile = _files.Write("net.onnx", "m"), ExportPath = _store.Path, Format = format };

        Assert.Contains("stands twice (cases do not count)", Fails(request with { ExtraFiles = [_files.Write("a/labels.txt", "a"), _files.Write("b/LABELS.txt", "b")] }), StringComparison.Ordinal);
        Assert.Contains("times as many", Fails(request with { ExtraFiles = [_files.Write("zeros.bin", new byte[20 << 20])] }), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_store.Path));
    }

    [Theory]
    [InlineData(ArchiveFormat.Default)]
    [InlineData(ArchiveFormat.ZipStore)]
    [InlineData(ArchiveFormat.Tgz)]
    [InlineData(ArchiveFormat.NoArchive)]
    public void Nothing_is_left_of_what_was_cancelled(ArchiveFormat format)
    {
        var request = new ArchiveRequest { ModelName = "m", SerializedFile = _files.Write("net.onnx", "m"), ExportPath = _store.Path, Format = format };

        Assert.ThrowsAny<OperationCanceledException>(() => ModelArchiver.Create(request, new CancellationToken(canceled: true)));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_store.Path));
    }

    [Theory]
    [InlineData(ArchiveFormat.Default, "m.mar")]
    [InlineData(ArchiveFormat.NoArchive, "m")]
    public async Task Nothing_is_seen_in_a_store_until_it_is_complete(ArchiveFormat format, string name)
    {
        var seen = new ConcurrentQueue<string?>();
        using var watcher = new FileSystemWatcher(_store.Path);
        watcher.Created += (_, change) => seen.Enqueue(change.Name);
        watcher.Renamed += (_, change) => seen.Enqueue(change.Name);
        watcher.EnableRaisingEvents = true;

        ModelArchiver.Create(new ArchiveRequest { ModelName = "m", SerializedFile = _files.Write("net.onnx", "m"), ExportPath = _store.Path, Format = format });

        await Eventually.HoldsAsync("it is there", () => seen.Contains(name));
        Assert.All(seen.Where(entry => entry != name), entry => Assert.StartsWith(".", entry, StringComparison.Ordinal));
    }

    private static string Fails(ArchiveRequest request) => Assert.Throws<InvalidModelException>(() => ModelArchiver.Create(request)).Message;
}
