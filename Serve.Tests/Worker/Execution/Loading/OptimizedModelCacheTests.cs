using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Models.Creation;
using Serve.Core.Protocol;
using Serve.Worker.Execution;
using Serve.Worker.Execution.Loading;

namespace Serve.Tests.Worker.Execution.Loading;

public sealed class OptimizedModelCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_entry_appears_when_it_is_committed_and_not_before()
    {
        var cache = Open();
        using (var writing = cache.Begin("key", 100)!)
        {
            File.WriteAllText(writing.ModelFile, "graph");
            Assert.Null(cache.Find("key"));
            Assert.Equal(Entry("key", "model.onnx"), writing.Commit());
        }

        Assert.Equal("graph", File.ReadAllText(cache.Find("key")!));
        Assert.Equal(["key"], Directory.GetFileSystemEntries(Entry("")).Select(Path.GetFileName));
    }

    [Fact]
    public void What_is_not_committed_leaves_nothing()
    {
        var cache = Open();
        using (var writing = cache.Begin("key", 100)!) File.WriteAllText(writing.ModelFile, "half");

        Assert.Null(cache.Find("key"));
        Assert.Empty(Directory.GetFileSystemEntries(Entry("")));
    }

    [Fact]
    public void One_worker_writes_and_the_others_do_without()
    {
        var cache = Open();
        using var writing = cache.Begin("key", 100);

        Assert.NotNull(writing);
        Assert.Null(cache.Begin("key", 100));
        using var other = cache.Begin("other", 100);
        Assert.NotNull(other);
    }

    [Fact]
    public void A_start_after_one_that_was_killed_while_it_wrote_does_without()
    {
        var cache = Open();
        using (cache.Begin("key", 100)) { }

        Directory.CreateDirectory(Entry(".writing-key"));

        Assert.Null(cache.Begin("key", 100));
        Assert.Null(cache.Begin("key", 100));
        Directory.Delete(Entry(".writing-key"));
        using var writing = cache.Begin("key", 100);
        Assert.NotNull(writing);
    }

    [Theory]
    [InlineData("model.onnx", "grapf")]
    [InlineData("model.onnx", "gra")]
    [InlineData("model.onnx.data", "other weights")]
    [InlineData("entry.json", "{")]
    [InlineData("entry.json", """{"Key":"key","ModelBytes":5,"DataBytes":7,"Fingerprint":"abc"}""")]
    public void A_damaged_entry_is_removed_and_not_used(string file, string content)
    {
        var cache = Open();
        Write(cache, "key", "graph", "weights");
        File.WriteAllText(Entry("key", file), content);

        Assert.Null(cache.Find("key"));
        Assert.False(Directory.Exists(Entry("key")));
        Write(cache, "key", "graph", "weights");
        Assert.NotNull(cache.Find("key"));
    }

    [Fact]
    public void An_entry_of_another_key_is_not_used()
    {
        var cache = Open();
        Write(cache, "key", "graph", "weights");
        Directory.Move(Entry("key"), Entry("stranger"));

        Assert.Null(cache.Find("stranger"));
    }

    [Fact]
    public void The_least_recently_used_go_when_there_are_too_many_bytes()
    {
        var cache = Open(limitBytes: 3000);
        Write(cache, "first", "graph", new string('w', 1000));
        Write(cache, "second", "graph", new string('w', 1000));
        File.SetLastWriteTimeUtc(Entry("first", "entry.json"), DateTime.UtcNow.AddMinutes(-2));
        File.SetLastWriteTimeUtc(Entry("second", "entry.json"), DateTime.UtcNow.AddMinutes(-1));
        Assert.NotNull(cache.Find("first"));

        Write(cache, "third", "graph", new string('w', 1000));

        Assert.Equal(["first", "third"], Directory.GetDirectories(Entry("")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void What_would_never_fit_is_not_begun() => Assert.Null(Open(limitBytes: 1000).Begin("key", 1001));

    [Fact]
    public void A_folder_that_others_may_write_to_is_no_cache()
    {
        if (OperatingSystem.IsWindows()) Assert.Skip("needs Unix modes");
        else
        {
            Directory.CreateDirectory(_folder["cache"]);
            File.SetUnixFileMode(_folder["cache"], (UnixFileMode)0b111_111_111);
        }

        Assert.Null(Open().Begin("key", 100));
    }

    [Fact]
    public void The_second_start_has_the_same_answers_from_the_first_ones_graph()
    {
        var file = LargeModel();
        var cache = Open();

        using var first = Load(file, cache);
        Assert.False(first.IsFromCache);
        using var second = Load(file, cache);
        Assert.True(second.IsFromCache);

        Assert.Equal(first.Logits(), second.Logits());
        Assert.Contains(first.Operators, name => name == "Gelu");
        Assert.Equal(first.Operators, second.Operators);
    }

    [Fact]
    public void Another_model_other_options_or_a_damaged_entry_start_anew()
    {
        var file = LargeModel();
        var cache = Open();
        using (Load(file, cache)) { }

        using (var other = Load(file, cache, new ExecutionConfiguration { GraphOptimization = GraphOptimization.Basic })) Assert.False(other.IsFromCache);

        foreach (var entry in Directory.GetDirectories(Entry("")).Select(folder => Path.Combine(folder, "model.onnx")))
        {
            File.WriteAllBytes(entry, File.ReadAllBytes(entry)[..^10]);
        }

        using (var again = Load(file, cache)) Assert.False(again.IsFromCache);

        File.SetLastWriteTimeUtc(Path.Combine(Path.GetDirectoryName(file)!, "model.onnx.data"), DateTime.UtcNow.AddHours(1));
        using (var touched = Load(file, cache)) Assert.False(touched.IsFromCache);
    }

    [Fact]
    public void A_small_model_is_not_kept_but_its_optimized_graph_is_known()
    {
        using var loaded = Load(Path.Combine(Repository.Root, "model-store", "fashion-vit", "1.0", "model.onnx"), Open());

        Assert.Contains("LayerNormalization", loaded.Operators);
        Assert.False(Directory.Exists(_folder["cache"]));
    }

    [Fact]
    public void The_machine_is_told_by_what_its_processor_is_and_not_by_how_fast_it_runs_now()
    {
        string[] cpu = ["processor\t: 0", "model name\t: EPYC", "cpu MHz\t\t: 2445.4", "flags\t\t: fpu avx2", "", "processor\t: 1"];

        Assert.Equal("model name\t: EPYC\nflags\t\t: fpu avx2", MachineFingerprint.OfProcessor(cpu));
    }

    private OptimizedModelCache Open(long limitBytes = 1L << 30) => OptimizedModelCache.Of(new CacheMessage(_folder["cache"], limitBytes), NullLogger.Instance)!;

    private string Entry(params string[] path) => Path.Combine([_folder["cache"], "optimized", .. path]);

    private static void Write(OptimizedModelCache cache, string key, string model, string data)
    {
        using var writing = cache.Begin(key, 100)!;
        File.WriteAllText(writing.ModelFile, model);
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(writing.ModelFile)!, OptimizedModelCache.DataFileName), data);
        Assert.NotNull(writing.Commit());
    }

    /// <summary>vit_s_16: above the smallest size that is kept.</summary>
    private string LargeModel()
    {
        var created = ModelCreator.Create(new ModelCreationRequest { Architecture = "vit_s_16", ModelStore = _folder["store"] }, cancellation: TestContext.Current.CancellationToken);
        return Path.Combine(created.Folder, "model.onnx");
    }

    private static Loaded Load(string file, OptimizedModelCache cache, ExecutionConfiguration? execution = null)
    {
        var configuration = new ModelConfiguration { Execution = execution ?? new ExecutionConfiguration() };
        using var plan = SessionPlan.Create("test", configuration, DeviceType.Cpu, 0, 1);
        return new Loaded(new SessionOpener(cache).Open(ModelDefinition.Of(file), plan));
    }

    private sealed class Loaded(OpenedSession opened) : IDisposable
    {
        public bool IsFromCache => opened.IsFromCache;

        public IReadOnlyList<string> Operators { get; } = [.. opened.Optimized!.Graph.Node.Select(node => node.OpType)];

        public float[] Logits()
        {
            var random = new Random(3);
            var pixels = Enumerable.Range(0, 3 * 224 * 224).Select(_ => (float)random.NextDouble() - 0.5f).ToArray();
            using var run = new Microsoft.ML.OnnxRuntime.RunOptions();
            using var input = Microsoft.ML.OnnxRuntime.OrtValue.CreateTensorValueFromMemory(pixels, [1, 3, 224, 224]);
            using var outputs = opened.Session.Run(run, opened.Session.InputNames, [input], opened.Session.OutputNames);
            return outputs[0].GetTensorDataAsSpan<float>().ToArray();
        }

        public void Dispose() => opened.Session.Dispose();
    }
}
