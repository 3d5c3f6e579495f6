using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Commands;
using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

/// <summary>The configuration with which a setting is measured.</summary>
public sealed class TuneOverlayTests : IDisposable
{
    private readonly TemporaryFolder _store = new();

    public void Dispose() => _store.Dispose();

    [Theory]
    [InlineData("batchSize: 2\njobQueueSize: 5\nlatencyTarget: 20\n")]
    [InlineData("maxQueueSize: 5 # few\nresponseCache: {size: 1MiB, enabled: true}\n")]
    [InlineData("responseCache:\n  enabled: true\n")]
    [InlineData("")]
    public void What_would_answer_or_refuse_instead_of_the_model_is_switched_off(string yaml)
    {
        var read = Overlay(yaml);

        Assert.Equal(4096, read.MaxQueueSize);
        Assert.Null(read.LatencyTarget);
        Assert.False(read.ResponseCache.Enabled);
        Assert.Equal((8, 2), (read.BatchSize, read.Instances));
    }

    [Theory]
    [InlineData("batchSize: &few 2\ntopK: 5\ndecodeThreads: *few\n")]
    [InlineData("execution: {interOpThreads: &few 2}\nbatchSize: *few\n")]
    public void A_configuration_that_cannot_be_changed_key_by_key_is_one_sentence(string yaml)
    {
        var error = Assert.Throws<CommandException>(() => Overlay(yaml));
        Assert.Equal(ExitCode.Failed, error.ExitCode);
        Assert.StartsWith($"{_store["m", "1.0", "model-config.yaml"]} cannot be tuned: ", error.Message, StringComparison.Ordinal);
    }

    private ModelConfiguration Overlay(string yaml)
    {
        _store.Write("m/1.0/model.onnx", "m");
        _store.Write("m/1.0/model-config.yaml", yaml);
        using var source = new ModelStore(new ServerConfiguration { ModelStore = _store.Path }, _store["unpacked"]).Open("m", cancellation: TestContext.Current.CancellationToken);
        using var overlay = TuneOverlay.Create(source, _store.Path);
        overlay.Write(new TuneSetting(8, 2, 1), 4096);
        return ModelConfigurationReader.Read(Path.Combine(overlay.Store, overlay.Url, "model-config.yaml"), new ServerConfiguration()).Configuration;
    }
}
