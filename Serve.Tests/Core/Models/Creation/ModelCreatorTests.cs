using System.Security.Cryptography;
using System.Text.Json;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models.Creation;
using YamlDotNet.Serialization;

namespace Serve.Tests.Core.Models.Creation;

public sealed class ModelCreatorTests : IDisposable
{
    private readonly TemporaryFolder _store = new();

    public void Dispose() => _store.Dispose();

    [Fact]
    public void A_seed_gives_the_same_bytes_everywhere_and_another_seed_gives_others()
    {
        var first = Create("first", seed: 1);
        var again = Create("again", seed: 1);
        var other = Create("other", seed: 2);

        Assert.Equal(Hash(first, "model.onnx.data"), Hash(again, "model.onnx.data"));
        Assert.Equal(Hash(first, "model.onnx"), Hash(again, "model.onnx"));
        Assert.NotEqual(Hash(first, "model.onnx.data"), Hash(other, "model.onnx.data"));
        Assert.Equal("09208a0672f6eaec101f37deac5b7da8fba57a4bff914bb32162f8a9f8cbc425", Hash(first, "model.onnx.data"));
    }

    [Fact]
    public void What_is_created_loads_and_tells_pictures_apart()
    {
        var created = Create("vit", seed: 0);
        using var session = new VisionTransformerSession(Path.Combine(created.Folder, "model.onnx"));
        var random = new Random(7);
        var pixels = Enumerable.Range(0, 2 * 3 * 224 * 224).Select(_ => (float)((random.NextDouble() * 4) - 2)).ToArray();

        var logits = session.Logits(pixels, 2, 224);

        Assert.All(logits, logit => Assert.InRange(logit, -8, 8));
        var deviation = Math.Sqrt(logits.Average(logit => (double)logit * logit));
        Assert.InRange(deviation, 0.5, 2);
        Assert.InRange(logits[..1000].Zip(logits[1000..], (a, b) => Math.Abs(a - b)).Max(), 0.05, 8);
    }

    [Fact]
    public void Half_precision_has_half_the_bytes_and_nearly_the_logits()
    {
        var single = Create("single", seed: 3);
        var half = Create("half", seed: 3, WeightPrecision.Float16);
        var pixels = Enumerable.Range(0, 3 * 224 * 224).Select(i => MathF.Sin(i * 0.01f)).ToArray();

        using var singleSession = new VisionTransformerSession(Path.Combine(single.Folder, "model.onnx"));
        using var halfSession = new VisionTransformerSession(Path.Combine(half.Folder, "model.onnx"));
        var difference = singleSession.Logits(pixels, 1, 224).Zip(halfSession.Logits(pixels, 1, 224), (s, h) => Math.Abs(s - h)).Max();

        Assert.InRange((double)half.TotalBytes / single.TotalBytes, 0.49, 0.53);
        Assert.InRange(difference, 1e-6, 0.05);
    }

    [Fact]
    public void The_result_says_what_was_written_and_progress_reaches_the_end()
    {
        var progress = new Collected();

        var created = ModelCreator.Create(new() { Architecture = "vit_ti_16", ModelStore = _store.Path }, progress, TestContext.Current.CancellationToken);

        Assert.Equal(("vit_ti_16", "1.0", _store["vit_ti_16", "1.0"]), (created.Name, created.Version, created.Folder));
        Assert.Equal(5_717_416, created.ParameterCount);
        Assert.Equal(["model-config.yaml", "model.onnx", "model.onnx.data"], Directory.EnumerateFiles(created.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(created.TotalBytes, Directory.EnumerateFiles(created.Folder).Sum(file => new FileInfo(file).Length));
        Assert.Equal(["vit_ti_16"], Directory.EnumerateFileSystemEntries(_store.Path).Select(Path.GetFileName));
        Assert.Contains(progress.Reports, report => report.WrittenBytes == 5_717_416 * sizeof(float));
    }

    [Fact]
    public void The_configuration_has_known_keys_and_torchvisions_preparation_of_each_architecture()
    {
        foreach (var architecture in VisionTransformerArchitecture.All)
        {
            var text = ModelConfigurationText.For(architecture, new() { Architecture = architecture.Name, ModelStore = "" });
            var keys = new DeserializerBuilder().Build().Deserialize<Dictionary<string, object>>(text);
            var preprocessing = Assert.IsType<Dictionary<object, object>>(keys["preprocessing"]);

            Assert.Subset(Keys<ModelConfiguration>(), keys.Keys.ToHashSet());
            Assert.Subset(Keys<PreprocessingConfiguration>(), preprocessing.Keys.Cast<string>().ToHashSet());
            Assert.Equal("image_classifier", keys["handler"]);
            Assert.Equal(architecture.Name == "vit_l_16" ? "242" : "256", preprocessing["resize"]);
            Assert.Equal("224", preprocessing["crop"]);
        }

        static HashSet<string> Keys<T>() =>
            [.. typeof(T).GetProperties().Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name))];
    }

    [Fact]
    public void A_version_that_is_there_is_replaced_only_by_force()
    {
        var first = Create("vit", seed: 1);
        var before = Hash(first, "model.onnx.data");
        File.WriteAllText(Path.Combine(first.Folder, "old.txt"), "left from before");

        var refused = Assert.Throws<ConflictStatusException>(() => Create("vit", seed: 2));
        Assert.Contains(first.Folder, refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, Hash(first, "model.onnx.data"));

        var second = Create("vit", seed: 2, force: true);
        Assert.NotEqual(before, Hash(second, "model.onnx.data"));
        Assert.False(File.Exists(Path.Combine(second.Folder, "old.txt")));
        Assert.Equal(["vit"], Directory.EnumerateFileSystemEntries(_store.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Cancelling_leaves_nothing_behind()
    {
        using var cancellation = new CancellationTokenSource();
        var progress = new Collected { OnReport = cancellation.Cancel };

        Assert.ThrowsAny<OperationCanceledException>(() =>
            ModelCreator.Create(new() { Architecture = "vit_ti_16", ModelStore = _store.Path }, progress, cancellation.Token));

        Assert.Empty(Directory.EnumerateFileSystemEntries(_store.Path));
    }

    [Fact]
    public void An_unknown_architecture_is_refused_with_those_there_are()
    {
        var refused = Assert.Throws<BadRequestException>(() =>
            ModelCreator.Create(new() { Architecture = "vit_h_14", ModelStore = _store.Path }, cancellation: TestContext.Current.CancellationToken));

        Assert.Equal("No architecture is called 'vit_h_14'. There are: vit_ti_16, vit_s_16, vit_b_16, vit_l_16.", refused.Message);
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("name\n")]
    public void A_name_that_would_leave_the_store_is_refused(string name)
    {
        Assert.Throws<BadRequestException>(() => Create(name, seed: 0));
        Assert.Throws<BadRequestException>(() => ModelCreator.Create(
            new() { Architecture = "vit_ti_16", ModelStore = _store.Path, Version = name }, cancellation: TestContext.Current.CancellationToken));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_store.Path));
    }

    private CreatedModel Create(string name, ulong seed, WeightPrecision precision = WeightPrecision.Float32, bool force = false) =>
        ModelCreator.Create(
            new() { Architecture = "vit_ti_16", ModelStore = _store.Path, ModelName = name, Seed = seed, Precision = precision, Force = force },
            cancellation: TestContext.Current.CancellationToken);

    private static string Hash(CreatedModel model, string file)
    {
        using var stream = File.OpenRead(Path.Combine(model.Folder, file));
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private sealed class Collected : IProgress<ModelCreationProgress>
    {
        private readonly List<ModelCreationProgress> _reports = [];

        public Action? OnReport { get; init; }

        public IReadOnlyList<ModelCreationProgress> Reports => _reports;

        public void Report(ModelCreationProgress value)
        {
            lock (_reports)
            {
                _reports.Add(value);
            }

            OnReport?.Invoke();
        }
    }
}
