using System.Buffers.Binary;
using System.Text;

namespace Serve.Worker.Images.Formats;

/// <summary>
/// Walks the chunks of a PNG from signature to IEND (PNG specification, section 5), checking lengths, order and the checksum of every chunk.
/// Decoders check only critical chunks, and accept a picture whose last chunks are missing.
/// </summary>
internal static class PngWalk
{
    private const uint HeaderChunk = 0x49484452;    // IHDR
    private const uint PaletteChunk = 0x504C5445;   // PLTE
    private const uint DataChunk = 0x49444154;      // IDAT
    private const uint EndChunk = 0x49454E44;       // IEND
    private const int ChunkOverhead = 12;

    public static ReadOnlySpan<byte> Signature => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Reads the header and demands that the picture is whole.</summary>
    public static ImageHeader Read(ReadOnlySpan<byte> data, ImageLimits limits)
    {
        var bytes = new EncodedBytes(data, "PNG");
        long position = Signature.Length;
        var header = ReadHeader(bytes, ref position, limits, out var needsPalette);
        bool sawPalette = false, sawData = false, lastWasData = false;
        while (true)
        {
            var offset = position;
            var type = ReadChunk(bytes, ref position, out var content);
            switch (type)
            {
                case EndChunk:
                    if (!sawData)
                        throw bytes.Broken("IEND comes before any picture data (IDAT)", offset);
                    return header;
                case HeaderChunk:
                    throw bytes.Broken("it has a second header (IHDR)", offset);
                case PaletteChunk:
                    if (sawPalette || sawData || content.Length is 0 or > 768 || content.Length % 3 != 0)
                        throw bytes.Broken("its palette (PLTE) has the wrong place or length", offset);
                    sawPalette = true;
                    break;
                case DataChunk:
                    if (needsPalette && !sawPalette)
                        throw bytes.Broken("picture data (IDAT) comes before the palette that it needs", offset);
                    if (sawData && !lastWasData)
                        throw bytes.Broken("its picture data (IDAT) is not in one piece", offset);
                    sawData = true;
                    break;
                default:
                    // Bit 5 of the first letter: chunks that a decoder must understand have it clear.
                    if ((type & 0x2000_0000) == 0)
                        throw bytes.Unsupported($"it has an unknown critical chunk {Name(type)}", offset);
                    break;
            }

            lastWasData = type == DataChunk;
        }
    }

    private static ImageHeader ReadHeader(EncodedBytes bytes, ref long position, ImageLimits limits, out bool needsPalette)
    {
        var offset = position;
        if (bytes.UInt32BigEndian(offset + 4, "before the header chunk (IHDR)") != HeaderChunk || bytes.UInt32BigEndian(offset, "") != 13)
            throw bytes.Broken("the first chunk is not a header (IHDR) of 13 bytes", offset);

        // The limits come first: what is refused anyway need not be read to its end.
        var content = bytes.Slice(offset + 8, 13, "inside the header chunk (IHDR)");
        var width = BinaryPrimitives.ReadUInt32BigEndian(content);
        var height = BinaryPrimitives.ReadUInt32BigEndian(content[4..]);
        SizeLimit.Check("PNG", width, height, offset + 8, limits);

        int bits = content[8], colour = content[9];
        var known = colour switch
        {
            0 => bits is 1 or 2 or 4 or 8 or 16,
            3 => bits is 1 or 2 or 4 or 8,
            2 or 4 or 6 => bits is 8 or 16,
            _ => false,
        };
        if (!known)
            throw bytes.Broken($"colour type {colour} with {bits} bits does not exist", offset + 16);
        if (content[10] != 0 || content[11] != 0 || content[12] > 1)
            throw bytes.Broken($"compression {content[10]}, filter {content[11]} or interlace method {content[12]} does not exist", offset + 18);

        needsPalette = colour == 3;
        ReadChunk(bytes, ref position, out _);
        return new ImageHeader(ImageFormats.Png, (int)width, (int)height);
    }

    private static uint ReadChunk(EncodedBytes bytes, ref long position, out ReadOnlySpan<byte> content)
    {
        var offset = position;
        if (bytes.Length - offset < ChunkOverhead)
            throw bytes.CutOff($"before the IEND chunk, {Math.Max(0, bytes.Length - offset)} bytes into the chunk at byte {offset}");

        var length = bytes.UInt32BigEndian(offset, "");
        var type = bytes.UInt32BigEndian(offset + 4, "");
        for (var i = 0; i < 4; i++)
        {
            if (!char.IsAsciiLetter((char)bytes.Span[(int)offset + 4 + i]))
                throw bytes.Broken("a chunk's name is not made of letters", offset + 4);
        }

        if (length > int.MaxValue)
            throw bytes.Broken($"chunk {Name(type)} says that it is {length} bytes long", offset);
        if (length > bytes.Length - offset - ChunkOverhead)
            throw bytes.CutOff($"inside the {Name(type)} chunk of {length} bytes that starts at byte {offset}");

        content = bytes.Span.Slice((int)offset + 8, (int)length);
        var computed = Crc32.Compute(bytes.Span.Slice((int)offset + 4, (int)length + 4));
        var written = bytes.UInt32BigEndian(offset + 8 + length, "");
        if (computed != written)
            throw bytes.Broken($"chunk {Name(type)} has the checksum {written:X8}, and its content gives {computed:X8}", offset);

        position = offset + ChunkOverhead + length;
        return type;
    }

    private static string Name(uint type) =>
        Encoding.ASCII.GetString([(byte)(type >> 24), (byte)(type >> 16), (byte)(type >> 8), (byte)type]);
}
