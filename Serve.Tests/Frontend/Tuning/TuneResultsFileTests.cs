using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

/// <summary>Which results a tuning goes on with: those of the same configuration, but for what it changes itself.</summary>
public sealed class TuneResultsFileTests : IDisposable
{
    private readonly TemporaryFolder _store = new();

    public void Dispose() => _store.Dispose();

    [Theory]
    [InlineData("", "execution: {cudnnConvAlgoSearch: default}")]
    [InlineData("", "execution: {graphOptimization: none}")]
    [InlineData("", "batchDimension: none")]
    [InlineData("", "deviceType: gpu")]
    [InlineData("{deviceType: gpu, deviceIds: [1]}", "{deviceType: gpu, deviceIds: [2]}")]
    [InlineData("preprocessing: {mean: [0.1, 0.2, 0.3]}", "preprocessing: {mean: [0.1, 0.2, 0.4]}")]
    [InlineData("handlerOptions: {mode: fast}", "handlerOptions: {mode: slow}")]
    public void Another_configuration_has_other_results(string one, string other) => Assert.NotEqual(FileOf(one), FileOf(other));

    [Theory]
    [InlineData("model-config.yaml")]
    [InlineData("other.yaml")]
    public void What_is_tuned_and_how_it_is_written_makes_no_difference(string name)
    {
        var file = FileOf("batchSize: 1", name);

        Assert.Equal(file, FileOf("# tuned\nbatchSize: 8\ninstances: 2\nminWorkers: 2\nmaxWorkers: 2\nbatching: delayed\nmaxBatchDelay: 10\ndecodeThreads: 3\nexecution:\n  intraOpThreads: 1\nlatencyTarget: 50\n", name));
    }

    private string FileOf(string yaml, string name = "model-config.yaml")
    {
        if (!File.Exists(_store["m", "1.0", "model.onnx"])) _store.Write("m/1.0/model.onnx", "m");
        var manifest = _store["m", "1.0", "MAR-INF", "MANIFEST.json"];
        if (name != "model-config.yaml" && !File.Exists(manifest)) _store.Write("m/1.0/MAR-INF/MANIFEST.json", """{"model": {"modelName": "m", "modelVersion": "1.0", "serializedFile": "model.onnx", "handler": "tensor", "configFile": "NAME"}}""".Replace("NAME", name, StringComparison.Ordinal));
        _store.Write($"m/1.0/{name}", yaml);
        using var source = new ModelStore(new ServerConfiguration { ModelStore = _store.Path }, _store["unpacked"]).Open("m", cancellation: TestContext.Current.CancellationToken);
        return TuneResultsFile.Open(_store["results"], source, [], "how", isFresh: false).FilePath;
    }
}
