using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// The classification extension: instead of a tensor its largest elements, of each row of the batch, as texts
/// <c>value:index</c> or <c>value:index:label</c>, the largest first. Real numbers have six decimals, as Triton writes them.
/// </summary>
internal static class Classification
{
    /// <summary>Whether elements of a type can be ranked here.</summary>
    public static bool Ranks(TensorElement element) => element is not (TensorElement.Float16 or TensorElement.BFloat16 or TensorElement.Bool or TensorElement.String);

    /// <summary>The classes of a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="most">At most so many of each row.</param>
    /// <param name="isBatched">Whether its first dimension is the batch.</param>
    /// <param name="labels">By index; it may have fewer, or none.</param>
    public static AnswerTensor Of(in AnswerTensor tensor, int most, bool isBatched, IReadOnlyList<string> labels) => tensor.Element switch
    {
        TensorElement.Float32 => Of<float>(tensor, most, isBatched, labels, "F6"),
        TensorElement.Float64 => Of<double>(tensor, most, isBatched, labels, "F6"),
        TensorElement.Int8 => Of<sbyte>(tensor, most, isBatched, labels, "D"),
        TensorElement.Int16 => Of<short>(tensor, most, isBatched, labels, "D"),
        TensorElement.Int32 => Of<int>(tensor, most, isBatched, labels, "D"),
        TensorElement.Int64 => Of<long>(tensor, most, isBatched, labels, "D"),
        TensorElement.UInt8 => Of<byte>(tensor, most, isBatched, labels, "D"),
        TensorElement.UInt16 => Of<ushort>(tensor, most, isBatched, labels, "D"),
        TensorElement.UInt32 => Of<uint>(tensor, most, isBatched, labels, "D"),
        TensorElement.UInt64 => Of<ulong>(tensor, most, isBatched, labels, "D"),
        _ => throw new InvalidOperationException($"Elements of type {tensor.Element} have no order."),
    };

    private static AnswerTensor Of<T>(in AnswerTensor tensor, int most, bool isBatched, IReadOnlyList<string> labels, string format)
        where T : unmanaged, INumber<T>
    {
        var elements = MemoryMarshal.Cast<byte, T>(tensor.Data.Span);
        var rows = isBatched && tensor.Shape.Length > 0 ? (int)Math.Min(tensor.Shape[0], elements.Length) : 1;
        var width = rows == 0 ? 0 : elements.Length / rows;
        var classes = Math.Min(most, width);
        var texts = new ArrayBufferWriter<byte>(Math.Max(16, 24 * rows * classes));
        for (var row = 0; row < rows; row++) WriteRow(elements.Slice(row * width, width), classes, labels, format, texts);
        return tensor with { Element = TensorElement.String, Shape = isBatched ? [rows, classes] : [classes], Data = texts.WrittenMemory };
    }

    private static void WriteRow<T>(ReadOnlySpan<T> row, int classes, IReadOnlyList<string> labels, string format, ArrayBufferWriter<byte> texts)
        where T : unmanaged, INumber<T>
    {
        // The smallest of those that were found leads, and gives way; of equal ones, the first in the tensor stay.
        var best = new PriorityQueue<int, (T Value, int Before)>(classes + 1);
        for (var i = 0; i < row.Length && classes > 0; i++)
        {
            if (best.Count < classes) best.Enqueue(i, (row[i], -i));
            else if (best.TryPeek(out _, out var least) && (row[i], -i).CompareTo(least) > 0) best.DequeueEnqueue(i, (row[i], -i));
        }

        var order = new int[best.Count];
        for (var i = order.Length - 1; i >= 0; i--) order[i] = best.Dequeue();
        foreach (var index in order)
        {
            var value = row[index].ToString(format, CultureInfo.InvariantCulture);
            BytesElements.Write(texts, Encoding.UTF8.GetBytes(index < labels.Count ? $"{value}:{index}:{labels[index]}" : $"{value}:{index}"));
        }
    }
}
