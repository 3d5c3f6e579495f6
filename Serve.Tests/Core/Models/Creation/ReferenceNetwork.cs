using System.Runtime.InteropServices;
using System.Text.Json;
using Serve.Core.Models.Creation;
using Serve.Core.Onnx;

namespace Serve.Tests.Core.Models.Creation;

/// <summary>
/// A small Vision Transformer of torchvision's own making, with its weights, five inputs and the logits that torchvision
/// computes for them.
/// </summary>
internal sealed class ReferenceNetwork : IWeightSource
{
    private readonly Dictionary<string, (long[] Shape, float[] Values)> _weights = new(StringComparer.Ordinal);

    public ReferenceNetwork()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "Data", "vit-reference");
        using var table = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "weights.json")));
        var root = table.RootElement;
        Configuration = new()
        {
            Layers = root.GetProperty("num_layers").GetInt32(),
            Width = root.GetProperty("hidden_dim").GetInt32(),
            Heads = root.GetProperty("num_heads").GetInt32(),
            MlpWidth = root.GetProperty("mlp_dim").GetInt32(),
            PatchSize = root.GetProperty("patch_size").GetInt32(),
            ImageSize = root.GetProperty("image_size").GetInt32(),
            Classes = root.GetProperty("num_classes").GetInt32(),
        };

        var bytes = File.ReadAllBytes(Path.Combine(folder, "weights.bin"));
        foreach (var tensor in root.GetProperty("tensors").EnumerateArray())
        {
            var shape = tensor.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()).ToArray();
            var length = (int)shape.Aggregate(1L, (product, size) => product * size) * sizeof(float);
            var values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(tensor.GetProperty("offset").GetInt32(), length));
            _weights.Add(tensor.GetProperty("name").GetString()!, (shape, values.ToArray()));
        }

        Inputs = Floats(Path.Combine(folder, "input.5x3x48x48.f32"));
        Logits = Floats(Path.Combine(folder, "logits.5x7.f32"));
    }

    public VisionTransformerConfiguration Configuration { get; }

    public float[] Inputs { get; }

    public float[] Logits { get; }

    public IReadOnlyDictionary<string, long[]> Shapes => _weights.ToDictionary(weight => weight.Key, weight => weight.Value.Shape);

    public void Fill(OnnxWeight weight, long firstElement, Span<float> destination)
    {
        var (shape, values) = _weights[weight.Name];
        Assert.Equal(shape, weight.Shape);
        values.AsSpan((int)firstElement, destination.Length).CopyTo(destination);
    }

    private static float[] Floats(string path) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();
}
