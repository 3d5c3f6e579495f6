using System.Buffers.Binary;

namespace Serve.Worker.Images.Formats;

/// <summary>
/// Reads fields of an encoded picture; every read past the end is a refusal that says where the bytes end: <c>where</c>, and the byte
/// <c>since</c> at which that part starts. Both go in as they are and become text only for a refusal: good pictures make no garbage.
/// </summary>
internal readonly ref struct EncodedBytes(ReadOnlySpan<byte> data, string format)
{
    public ReadOnlySpan<byte> Span { get; } = data;

    public int Length => Span.Length;

    public byte Byte(long offset, string where, long since = -1) => Slice(offset, 1, where, since)[0];

    public ushort UInt16BigEndian(long offset, string where, long since = -1) => BinaryPrimitives.ReadUInt16BigEndian(Slice(offset, 2, where, since));

    public uint UInt32BigEndian(long offset, string where, long since = -1) => BinaryPrimitives.ReadUInt32BigEndian(Slice(offset, 4, where, since));

    public ushort UInt16LittleEndian(long offset, string where, long since = -1) => BinaryPrimitives.ReadUInt16LittleEndian(Slice(offset, 2, where, since));

    public uint UInt32LittleEndian(long offset, string where, long since = -1) => BinaryPrimitives.ReadUInt32LittleEndian(Slice(offset, 4, where, since));

    public int Int32LittleEndian(long offset, string where, long since = -1) => BinaryPrimitives.ReadInt32LittleEndian(Slice(offset, 4, where, since));

    public ReadOnlySpan<byte> Slice(long offset, long count, string where, long since = -1)
    {
        if (offset < 0 || count < 0 || offset > Span.Length || count > Span.Length - offset)
            throw CutOff(where, since);
        return Span.Slice((int)offset, (int)count);
    }

    /// <summary>The refusal of a picture whose bytes end too early.</summary>
    public ImageException CutOff(string where, long since = -1) =>
        new($"The {format} picture is cut off: its {Span.Length} bytes end {where}{(since < 0 ? "" : $" (at byte {since})")}.", Span.Length);

    /// <summary>The refusal of a picture with something wrong at one place.</summary>
    public ImageException Broken(string what, long offset) =>
        new($"The {format} picture is broken at byte {offset}: {what}.", offset);

    /// <summary>The refusal of a picture that may be fine but that no decoder here reads.</summary>
    public ImageException Unsupported(string what, long offset) =>
        new($"The {format} picture cannot be decoded: {what} (byte {offset}).", offset);
}
