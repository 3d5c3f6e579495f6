using System.IO.Compression;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Models.Archives;

namespace Serve.Tests.Core.Models;

/// <summary>Archives as torch-model-archiver 0.12 makes them: what can be served is, what cannot is refused with what to do.</summary>
public sealed class TorchServeModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _unpacked = new();
    private readonly ModelStore _store;

    public TorchServeModelTests() => _store = new ModelStore(new ServerConfiguration { ModelStore = _folder.Path }, _unpacked.Path);

    public void Dispose()
    {
        _folder.Dispose();
        _unpacked.Dispose();
    }

    [Fact]
    public void An_archive_with_an_ONNX_model_and_a_stock_handler_is_opened_as_it_is()
    {
        Archive("squeezenet.mar", """
            {
              "createdOn": "20/06/2025 10:11:12",
              "runtime": "python",
              "model": {
                "modelName": "squeezenet",
                "serializedFile": "squeezenet.onnx",
                "handler": "image_classifier",
                "modelFile": "model.py",
                "modelVersion": "1.1",
                "requirementsFile": "requirements.txt",
                "configFile": "model-config.yaml"
              },
              "archiverVersion": "0.12.0"
            }
            """, ("squeezenet.onnx", "m"), ("model.py", "class Net: pass"), ("requirements.txt", "timm"), ("index_to_name.json", """{"0": ["n01", "tench"]}"""),
            ("model-config.yaml", "minWorkers: 1\nmaxWorkers: 2\nbatchSize: 4\nmaxBatchDelay: 20\nresponseTimeout: 60\n"));

        using var source = Open("squeezenet.mar");

        Assert.Equal(("squeezenet", "1.1", "image_classifier", "squeezenet.onnx", 4), (source.Name, source.Version, source.Configuration.Handler, source.Configuration.ModelFile, source.Configuration.BatchSize));
        Assert.Contains(source.Warnings, warning => warning.Contains("model.py is not used: Serve runs squeezenet.onnx and no Python", StringComparison.Ordinal));
        Assert.Contains(source.Warnings, warning => warning.Contains("requirements.txt is not used", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("resnet.pt", "image_classifier", "", "resnet.mar: resnet.pt holds PyTorch weights. Serve runs ONNX models; export it in Python with torch.onnx.export(", "serve archive --model-name resnet --version 2.0 --serialized-file model.onnx --handler image_classifier --extra-files index_to_name.json.")]
    [InlineData("resnet.pth", "handler.py", "from ts.torch_handler.image_classifier import ImageClassifier", "model.handler: handler.py is a Python handler, and Serve runs no Python; export the model to ONNX.", "--handler image_classifier --extra-files")]
    [InlineData("resnet.pt", "my_handler:handle", "from ts.torch_handler.base_handler import BaseHandler", "my_handler:handle is a Python handler, and Serve runs no Python", "--handler tensor --extra-files index_to_name.json. The handler tensor takes and gives numbers")]
    [InlineData("resnet.onnx", "handler.py", "class H(ImageClassifier): pass", "export the model to ONNX (done: resnet.onnx is there), and register it with another handler (handler=image_classifier), or pack it again", "--serialized-file resnet.onnx --handler image_classifier")]
    public void What_needs_Python_is_refused_with_what_to_do(string weights, string handler, string code, string message, string command)
    {
        Archive("resnet.mar", $$$"""{"model": {"modelName": "resnet", "modelVersion": "2.0", "serializedFile": "{{{weights}}}", "handler": "{{{handler}}}"}}""",
            (weights, "w"), (handler.Split(':')[0].Replace(".py", "", StringComparison.Ordinal) + ".py", code), ("index_to_name.json", """{"0": "a"}"""));

        var error = Assert.Throws<InvalidModelException>(() => Open("resnet.mar"));

        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(command, error.Message, StringComparison.Ordinal);
        Assert.Contains("docs/migrating-from-torchserve.md", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_unpacked.Path));
    }

    [Fact]
    public void An_ONNX_model_with_a_Python_handler_is_opened_with_the_handler_that_the_registration_names()
    {
        Archive("net.mar", """{"model": {"serializedFile": "net.onnx", "handler": "handler.py"}}""", ("net.onnx", "m"), ("handler.py", ""));

        using var source = _store.Open("net.mar", handler: "image_classifier", cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(("net", "1.0", "image_classifier"), (source.Name, source.Version, source.Configuration.Handler));
    }

    private ModelSource Open(string url) => _store.Open(url, cancellation: TestContext.Current.CancellationToken);

    private void Archive(string name, string manifest, params (string Name, string Text)[] files)
    {
        using var zip = ZipFile.Open(_folder[name], ZipArchiveMode.Create);
        foreach (var (file, text) in ((string, string)[])[.. files, (ModelManifest.EntryName, manifest)])
        {
            using var writer = new StreamWriter(zip.CreateEntry(file).Open());
            writer.Write(text);
        }
    }
}
