using Serve.Benchmarks.NoOp;

namespace Serve.Benchmarks.Scenarios;

/// <summary>A model store with what one scenario needs, and nothing else that would take the machine's time.</summary>
internal sealed class TemporaryStore : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("serve-bench-store-");

    public string Path => _folder.FullName;

    /// <summary>A store with the no-op model, named <c>noop</c>.</summary>
    public static TemporaryStore WithNoOp()
    {
        var store = new TemporaryStore();
        store.Add("noop", typeof(NoOpHandler), "batchSize: 32\nmaxQueueSize: 1000");
        return store;
    }

    /// <summary>A store with models on the <see cref="SyntheticDevice"/>.</summary>
    /// <param name="models">Names, and settings beside the batch size.</param>
    public static TemporaryStore WithSynthetic(params (string Name, string Settings)[] models)
    {
        var store = new TemporaryStore();
        foreach (var (name, settings) in models) store.Add(name, typeof(SyntheticHandler), $"batchSize: {SyntheticDevice.BatchSize}\n{settings}");
        return store;
    }

    /// <summary>A store with the bundled model as it ships.</summary>
    public static TemporaryStore WithFashionVit(Repository repository)
    {
        var store = new TemporaryStore();
        foreach (var file in Directory.EnumerateFiles(repository.FashionVit, "*", SearchOption.AllDirectories))
        {
            var target = System.IO.Path.Combine(store.Path, "fashion-vit", System.IO.Path.GetRelativePath(repository.FashionVit, file));
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return store;
    }

    private void Add(string name, Type handler, string settings)
    {
        var model = Directory.CreateDirectory(System.IO.Path.Combine(Path, name, "1.0")).FullName;
        var assembly = System.IO.Path.GetFileName(handler.Assembly.Location);
        File.Copy(handler.Assembly.Location, System.IO.Path.Combine(model, assembly));
        File.WriteAllText(System.IO.Path.Combine(model, "model-config.yaml"), $"handler: {assembly}:{handler.FullName}\nminWorkers: 1\nmaxWorkers: 1\n{settings}\n");
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
