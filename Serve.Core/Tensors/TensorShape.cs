using System.Buffers.Text;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>Sizes of shapes that strangers sent: nothing here overflows.</summary>
public static class TensorShape
{
    /// <summary>The most dimensions that a tensor may have on the worker link.</summary>
    public const int MostDimensions = 32;

    /// <summary>The product of the dimensions; 1 for a scalar.</summary>
    /// <param name="shape">The dimensions.</param>
    /// <param name="elements">The product.</param>
    /// <returns>False: a dimension is negative, or the product is beyond 63 bits. A zero beside such dimensions makes it zero.</returns>
    public static bool TryCount(ReadOnlySpan<long> shape, out long elements)
    {
        elements = 1;
        foreach (var dimension in shape)
        {
            if (dimension < 0) return false;
            if (dimension == 0) elements = 0;
        }

        if (elements == 0) return true;
        foreach (var dimension in shape)
        {
            if (elements > long.MaxValue / dimension) return false;
            elements *= dimension;
        }

        return true;
    }

    /// <summary>The bytes of a tensor's elements.</summary>
    /// <param name="element">Not <see cref="TensorElement.String"/>, whose elements have no fixed size.</param>
    /// <param name="shape">The dimensions.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns>As <see cref="TryCount"/>.</returns>
    public static bool TryCountBytes(TensorElement element, ReadOnlySpan<long> shape, out long bytes)
    {
        bytes = 0;
        if (!TryCount(shape, out var elements) || elements > long.MaxValue / Math.Max(1, element.SizeBytes())) return false;
        bytes = elements * element.SizeBytes();
        return true;
    }

    /// <summary>Whether a model's shape, with −1 for dynamic dimensions, allows a tensor's.</summary>
    /// <param name="model">The model's dimensions.</param>
    /// <param name="tensor">The tensor's.</param>
    public static bool Allows(IReadOnlyList<long> model, ReadOnlySpan<long> tensor)
    {
        if (model.Count != tensor.Length) return false;
        for (var i = 0; i < tensor.Length; i++)
        {
            if (tensor[i] < 0 || (model[i] >= 0 && model[i] != tensor[i])) return false;
        }

        return true;
    }

    /// <summary>The dimensions as the protocol's error messages have them: <c>[-1,16]</c>.</summary>
    /// <param name="shape">The dimensions.</param>
    public static string Text(IEnumerable<long> shape) => $"[{string.Join(',', shape)}]";

    /// <summary>Writes <c>[1,16]</c>.</summary>
    /// <returns>The bytes written.</returns>
    internal static int Write(Span<byte> target, ReadOnlySpan<long> shape)
    {
        var at = 0;
        target[at++] = (byte)'[';
        for (var i = 0; i < shape.Length; i++)
        {
            if (i > 0) target[at++] = (byte)',';
            Utf8Formatter.TryFormat(shape[i], target[at..], out var digits);
            at += digits;
        }

        target[at++] = (byte)']';
        return at;
    }

    /// <summary>Reads <c>[1,16]</c>; no spaces, no signs, no superfluous zeros are needed, and none but digits are taken.</summary>
    /// <param name="text">The whole of it.</param>
    /// <param name="shape">Room for <see cref="MostDimensions"/>.</param>
    /// <param name="rank">How many dimensions there are.</param>
    internal static bool TryRead(ReadOnlySpan<byte> text, Span<long> shape, out int rank)
    {
        rank = 0;
        if (text.Length < 2 || text[0] != '[' || text[^1] != ']') return false;
        text = text[1..^1];
        while (!text.IsEmpty)
        {
            if (rank == shape.Length || !char.IsAsciiDigit((char)text[0]) || !Utf8Parser.TryParse(text, out long dimension, out var digits)) return false;
            shape[rank++] = dimension;
            text = text[digits..];
            if (text.IsEmpty) return true;
            if (text[0] != ',' || text.Length == 1) return false;
            text = text[1..];
        }

        return true;
    }
}
