using Serve.Core.Onnx.Format;

namespace Serve.Core.Onnx;

/// <summary>One dimension of an input or output: a number, or a name that a size takes on at each run.</summary>
internal readonly record struct OnnxDimension
{
    private OnnxDimension(long size, string? name) => (Size, Name) = (size, name);

    /// <summary>The size, where it is fixed (<see cref="Name"/> is null).</summary>
    public long Size { get; }

    /// <summary>The name of a dynamic dimension; dimensions of the same name are equal.</summary>
    public string? Name { get; }

    public static implicit operator OnnxDimension(long size) => new(size, null);

    public static implicit operator OnnxDimension(string name) => new(0, name);

    public TensorShapeProto.Types.Dimension ToProto() =>
        Name is null ? new() { DimValue = Size } : new() { DimParam = Name };
}
