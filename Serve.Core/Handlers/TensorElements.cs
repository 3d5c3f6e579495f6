namespace Serve.Core.Handlers;

/// <summary>Facts about <see cref="TensorElement"/>.</summary>
public static class TensorElements
{
    /// <summary>Bytes of one element; 0 for <see cref="TensorElement.String"/>, whose elements have no fixed size.</summary>
    /// <param name="element">The element type.</param>
    public static int SizeBytes(this TensorElement element) => element switch
    {
        TensorElement.Bool or TensorElement.UInt8 or TensorElement.Int8 => 1,
        TensorElement.UInt16 or TensorElement.Int16 or TensorElement.Float16 or TensorElement.BFloat16 => 2,
        TensorElement.UInt32 or TensorElement.Int32 or TensorElement.Float32 => 4,
        TensorElement.UInt64 or TensorElement.Int64 or TensorElement.Float64 => 8,
        _ => 0,
    };
}
