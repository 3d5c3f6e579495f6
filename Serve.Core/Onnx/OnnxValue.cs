namespace Serve.Core.Onnx;

/// <summary>A value in a graph, known by its name: an input, an initializer or what a node puts out.</summary>
internal readonly record struct OnnxValue(string Name)
{
    public override string ToString() => Name;
}
