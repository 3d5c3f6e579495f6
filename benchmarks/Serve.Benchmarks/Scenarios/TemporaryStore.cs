using Google.Protobuf;
using Serve.Benchmarks.NoOp;
using Serve.Core.Models.Creation;
using Serve.Core.Onnx;

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

    /// <summary>A store with models that work until their client leaves.</summary>
    /// <param name="models">Names, and settings.</param>
    public static TemporaryStore WithLeaving(params (string Name, string Settings)[] models)
    {
        var store = new TemporaryStore();
        foreach (var (name, settings) in models) store.Add(name, typeof(LeavingHandler), settings);
        return store;
    }

    /// <summary>A model of which each instance has a <see cref="SyntheticDevice"/> of its own.</summary>
    public const string DeviceForEach = "devices";

    /// <summary>A model of which all instances share one.</summary>
    public const string OneDevice = "device";

    /// <summary>A store with <see cref="DeviceForEach"/> and <see cref="OneDevice"/>, as they are before anybody has tuned them.</summary>
    public static TemporaryStore WithDevices()
    {
        var store = new TemporaryStore();
        store.Add(DeviceForEach, typeof(SyntheticHandler), "");
        store.Add(OneDevice, typeof(SerialDeviceHandler), "");
        return store;
    }

    /// <summary>A store with an architecture's model of random weights, named as it.</summary>
    public static TemporaryStore WithCreated(string architecture)
    {
        var store = new TemporaryStore();
        ModelCreator.Create(new ModelCreationRequest { Architecture = architecture, ModelStore = store.Path });
        return store;
    }

    /// <summary>Replaces a model's configuration.</summary>
    public void Configure(string model, string yaml) => File.WriteAllText(Directory.EnumerateFiles(System.IO.Path.Combine(Path, model), "model-config.yaml", SearchOption.AllDirectories).Single(), yaml);

    /// <summary>The ONNX file of a model.</summary>
    public string ModelFile(string model) => Directory.EnumerateFiles(System.IO.Path.Combine(Path, model), "*.onnx", SearchOption.AllDirectories).Single();

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

    /// <summary>Adds a model that is a graph, and is served without a handler of its own.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="settings">Its configuration, beside the workers.</param>
    /// <param name="build">Makes the graph.</param>
    public void AddGraph(string name, string settings, Action<OnnxGraphBuilder> build)
    {
        var graph = new OnnxGraphBuilder(name, "none.data");
        build(graph);
        var folder = Directory.CreateDirectory(System.IO.Path.Combine(Path, name, "1.0")).FullName;
        File.WriteAllBytes(System.IO.Path.Combine(folder, "model.onnx"), graph.Build(new OnnxModelHeader(17, 8, "Serve.Benchmarks", "")).Proto.ToByteArray());
        File.WriteAllText(System.IO.Path.Combine(folder, "model-config.yaml"), $"handler: tensor\nminWorkers: 1\nmaxWorkers: 1\n{settings}\n");
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
