using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Serve.Core.Tensors;

/// <summary>The elements of a <c>BYTES</c> tensor: each a length of 32 bits, little-endian, and so many bytes, one after the other.</summary>
public static class BytesElements
{
    /// <summary>Bytes before each element.</summary>
    public const int PrefixBytes = sizeof(uint);

    /// <summary>Counts the elements, and checks that they fill the data exactly.</summary>
    /// <param name="data">The tensor's data.</param>
    /// <param name="elements">How many there are.</param>
    /// <returns>False: a length reaches beyond the data, or ends in the middle.</returns>
    public static bool TryCount(ReadOnlySpan<byte> data, out long elements)
    {
        elements = 0;
        while (!data.IsEmpty)
        {
            if (!TryTake(ref data, out _)) return false;
            elements++;
        }

        return true;
    }

    /// <summary>Takes the next element off the data.</summary>
    /// <param name="data">What follows it is left.</param>
    /// <param name="element">Its bytes.</param>
    /// <returns>False: there is no whole one.</returns>
    public static bool TryTake(ref ReadOnlySpan<byte> data, out ReadOnlySpan<byte> element)
    {
        element = default;
        if (data.Length < PrefixBytes) return false;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(data);
        if (length > (uint)(data.Length - PrefixBytes)) return false;
        element = data.Slice(PrefixBytes, (int)length);
        data = data[(PrefixBytes + (int)length)..];
        return true;
    }

    /// <summary>Writes an element.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="element">Its bytes.</param>
    public static void Write(IBufferWriter<byte> target, ReadOnlySpan<byte> element)
    {
        var memory = target.GetSpan(PrefixBytes + element.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(memory, (uint)element.Length);
        element.CopyTo(memory[PrefixBytes..]);
        target.Advance(PrefixBytes + element.Length);
    }

    /// <summary>The data of a tensor of texts, as UTF-8.</summary>
    /// <param name="texts">The elements.</param>
    public static byte[] Of(params IReadOnlyList<string> texts)
    {
        var data = new ArrayBufferWriter<byte>();
        foreach (var text in texts) Write(data, Encoding.UTF8.GetBytes(text));
        return data.WrittenSpan.ToArray();
    }
}
