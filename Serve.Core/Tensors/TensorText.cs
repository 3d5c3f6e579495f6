using System.Text;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>
/// A tensor's element type and shape as one text, as they cross the worker link: <c>FP32[1,3,224,224]</c>, <c>INT32[]</c>
/// for a scalar.
/// </summary>
public static class TensorText
{
    /// <summary>The most bytes that such a text has.</summary>
    public const int MostBytes = Datatypes.LongestName + 2 + (TensorShape.MostDimensions * BytesPerDimension);

    // The digits of the largest one, and the comma.
    private const int BytesPerDimension = 20;

    /// <summary>The most bytes of a text with so many dimensions.</summary>
    /// <param name="rank">How many.</param>
    public static int MostBytesOf(int rank) => Datatypes.LongestName + 2 + (rank * BytesPerDimension);

    /// <summary>The text.</summary>
    /// <param name="element">The element type.</param>
    /// <param name="shape">At most <see cref="TensorShape.MostDimensions"/> dimensions.</param>
    public static string Of(TensorElement element, ReadOnlySpan<long> shape)
    {
        Span<byte> text = stackalloc byte[MostBytes];
        return Encoding.ASCII.GetString(text[..Write(text, element, shape)]);
    }

    /// <summary>Writes the text.</summary>
    /// <param name="target">At least <see cref="MostBytesOf"/> bytes.</param>
    /// <param name="element">The element type.</param>
    /// <param name="shape">At most <see cref="TensorShape.MostDimensions"/> dimensions.</param>
    /// <returns>The bytes written; ASCII.</returns>
    public static int Write(Span<byte> target, TensorElement element, ReadOnlySpan<long> shape)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shape.Length, TensorShape.MostDimensions, nameof(shape));
        var name = element.Datatype();
        Encoding.ASCII.GetBytes(name, target);
        return name.Length + TensorShape.Write(target[name.Length..], shape);
    }

    /// <summary>Reads the text.</summary>
    /// <param name="text">The whole of it; ASCII.</param>
    /// <param name="element">The element type.</param>
    /// <param name="shape">Room for <see cref="TensorShape.MostDimensions"/>.</param>
    /// <param name="rank">How many dimensions there are.</param>
    /// <returns>False: it is no such text.</returns>
    public static bool TryRead(ReadOnlySpan<byte> text, out TensorElement element, Span<long> shape, out int rank)
    {
        (element, rank) = (default, 0);
        var bracket = text.IndexOf((byte)'[');
        return bracket > 0 && Datatypes.TryParse(text[..bracket], out element) && TensorShape.TryRead(text[bracket..], shape, out rank);
    }

    /// <inheritdoc cref="TryRead(ReadOnlySpan{byte}, out TensorElement, Span{long}, out int)"/>
    public static bool TryRead(ReadOnlySpan<char> text, out TensorElement element, Span<long> shape, out int rank)
    {
        (element, rank) = (default, 0);
        if (text.Length > MostBytes) return false;
        Span<byte> ascii = stackalloc byte[MostBytes];
        return TryRead(ascii[..Encoding.ASCII.GetBytes(text, ascii)], out element, shape, out rank); // what is not ASCII becomes '?'
    }
}
