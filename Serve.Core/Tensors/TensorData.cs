using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>Whether a tensor's bytes are what its element type and shape say.</summary>
public static class TensorData
{
    /// <summary>Checks the bytes.</summary>
    /// <param name="element">The element type.</param>
    /// <param name="shape">The dimensions.</param>
    /// <param name="data">The bytes: row-major, little-endian; <c>BYTES</c> as <see cref="BytesElements"/>.</param>
    /// <returns>What is wrong with them, to be put after the tensor's name: <c>has …</c>; null: nothing.</returns>
    public static string? Fault(TensorElement element, ReadOnlySpan<long> shape, ReadOnlySpan<byte> data)
    {
        if (element == TensorElement.String) return StringFault(shape, data);
        if (!TensorShape.TryCountBytes(element, shape, out var bytes)) return $"has the shape {TensorShape.Text(shape.ToArray())}, which no tensor has";
        if (bytes != data.Length) return $"has {data.Length} bytes of data; {TensorText.Of(element, shape)} takes {bytes}";
        return element == TensorElement.Bool && data.ContainsAnyExceptInRange((byte)0, (byte)1) ? "has a BOOL that is neither 0 nor 1" : null;
    }

    private static string? StringFault(ReadOnlySpan<long> shape, ReadOnlySpan<byte> data)
    {
        if (!TensorShape.TryCount(shape, out var expected)) return $"has the shape {TensorShape.Text(shape.ToArray())}, which no tensor has";
        if (!BytesElements.TryCount(data, out var elements)) return $"has a BYTES element (of {data.Length} bytes together) whose length reaches beyond the data";
        return elements == expected ? null : $"has {elements} BYTES elements; {TensorText.Of(TensorElement.String, shape)} takes {expected}";
    }
}
