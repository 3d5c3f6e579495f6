using System.Buffers.Binary;
using System.Text;

namespace Serve.Core.Protocol;

/// <summary>Reads little-endian fields from a frame's body and refuses to reach beyond it.</summary>
/// <param name="source">The body.</param>
internal ref struct SpanFields(ReadOnlySpan<byte> source)
{
    private ReadOnlySpan<byte> _rest = source;

    /// <summary>What has not been read.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>The next bytes.</summary>
    public ReadOnlySpan<byte> Bytes(uint count)
    {
        if (count > (uint)_rest.Length) throw new ProtocolException($"A field of {count} bytes reaches beyond its frame, of which {_rest.Length} bytes are left.");
        var bytes = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return bytes;
    }

    public byte Byte() => Bytes(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Bytes(8));

    /// <summary>A text with a 16-bit length before it.</summary>
    public string ShortText() => Encoding.UTF8.GetString(Bytes(UInt16()));

    /// <summary>A text with a 32-bit length before it.</summary>
    public string LongText() => Encoding.UTF8.GetString(Bytes(UInt32()));
}
