using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace Serve.Core.Tracing;

/// <summary>A message of Protocol Buffers while it is written (protobuf.dev/programming-guides/encoding); the buffer grows, and is used again.</summary>
/// <param name="capacity">Bytes to begin with.</param>
internal sealed class ProtobufBuffer(int capacity)
{
    // A length that is written before it is known: so many bytes, of which the first three say that more follow. 256 MB.
    private const int LengthBytes = 4;

    private const int Varints = 0;
    private const int EightBytes = 1;
    private const int Lengths = 2;
    private const int FourBytes = 5;

    private byte[] _bytes = new byte[capacity];

    /// <summary>Bytes so far. What is behind it is lost when it is made less.</summary>
    public int Length { get; set; }

    /// <summary>What is written, and may be changed, until more is.</summary>
    public Memory<byte> Written => _bytes.AsMemory(0, Length);

    /// <summary>How many bytes a number takes.</summary>
    public static int SizeOf(ulong value) => BitOperations.Log2(value | 1) / 7 + 1;

    /// <summary>Adds bytes as they are.</summary>
    public void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Adds a number by itself.</summary>
    public void Varint(ulong value)
    {
        var room = Room(10);
        var count = 0;
        for (; value >= 0x80; value >>= 7) room[count++] = (byte)(value | 0x80);
        room[count++] = (byte)value;
        Length += count;
    }

    /// <summary>Adds a field with a number.</summary>
    public void Varint(int field, ulong value)
    {
        Tag(field, Varints);
        Varint(value);
    }

    /// <summary>Adds a field with a number of eight bytes.</summary>
    public void Fixed64(int field, ulong value)
    {
        Tag(field, EightBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(Room(8), value);
        Length += 8;
    }

    /// <summary>Adds a field with a number of four bytes.</summary>
    public void Fixed32(int field, uint value)
    {
        Tag(field, FourBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(Room(4), value);
        Length += 4;
    }

    /// <summary>Adds a field with bytes, or with text that is UTF-8 already.</summary>
    public void Bytes(int field, ReadOnlySpan<byte> bytes)
    {
        Head(field, bytes.Length);
        Raw(bytes);
    }

    /// <summary>Adds text as it is.</summary>
    /// <param name="text">The text; half a surrogate pair becomes U+FFFD.</param>
    /// <param name="bytes">Its bytes as UTF-8.</param>
    public void Text(ReadOnlySpan<char> text, int bytes)
    {
        Encoding.UTF8.GetBytes(text, Room(bytes));
        Length += bytes;
    }

    /// <summary>Adds the head of a field whose bytes follow.</summary>
    public void Head(int field, int bytes)
    {
        Tag(field, Lengths);
        Varint((uint)bytes);
    }

    /// <summary>Begins a message within this one.</summary>
    /// <returns>What <see cref="End"/> is told.</returns>
    public int Begin(int field)
    {
        Tag(field, Lengths);
        Room(LengthBytes);
        Length += LengthBytes;
        return Length;
    }

    /// <summary>Ends it. May be called again when more has been added.</summary>
    public void End(int begun)
    {
        var length = (uint)(Length - begun);
        var at = _bytes.AsSpan(begun - LengthBytes, LengthBytes);
        for (var i = 0; i < LengthBytes - 1; i++) at[i] = (byte)((length >> (7 * i)) | 0x80);
        at[LengthBytes - 1] = (byte)(length >> (7 * (LengthBytes - 1)));
    }

    private void Tag(int field, int wireType) => Varint((uint)((field << 3) | wireType));

    private Span<byte> Room(int count)
    {
        if (_bytes.Length - Length < count) Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, Length + count));
        return _bytes.AsSpan(Length);
    }
}
