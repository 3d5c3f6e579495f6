namespace Serve.Worker.Images.Formats;

/// <summary>Walks the blocks of a GIF to its trailer: sizes of screen and frames, truncation (GIF89a specification).</summary>
internal static class GifWalk
{
    private const byte Extension = 0x21;
    private const byte GraphicControl = 0xF9;
    private const byte GraphicControlBytes = 4;
    private const byte HasTransparency = 1;
    private const byte Image = 0x2C;
    private const byte Trailer = 0x3B;

    /// <summary>Reads the header and demands that the picture is whole.</summary>
    public static ImageHeader Read(ReadOnlySpan<byte> data, ImageLimits limits)
    {
        var bytes = new EncodedBytes(data, "GIF");
        var screen = bytes.Slice(6, 7, "inside the logical screen descriptor");
        int width = screen[0] | (screen[1] << 8), height = screen[2] | (screen[3] << 8);
        SizeLimit.Check("GIF", width, height, 6, limits);

        var hasGlobalColours = (screen[4] & 0x80) != 0;
        var position = 13L + ColourTableLength(screen[4]);
        var frames = 0;
        while (true)
        {
            var offset = position;
            switch (bytes.Byte(position++, "before the trailer"))
            {
                case Trailer:
                    if (frames == 0)
                        throw bytes.Broken("the trailer comes before any frame", offset);
                    return new ImageHeader(ImageFormats.Gif, width, height);
                case Extension:
                    position = SkipSubBlocks(bytes, position + 1, offset, out _);
                    break;
                case Image:
                    var image = bytes.Slice(position, 9, "inside a frame descriptor", offset);
                    SizeLimit.Check("GIF", image[4] | (image[5] << 8), image[6] | (image[7] << 8), offset + 5, limits);
                    if ((image[8] & 0x80) == 0 && !hasGlobalColours)
                        throw bytes.Broken("a frame has no colours", offset);
                    position += 9 + ColourTableLength(image[8]);
                    if (bytes.Byte(position, "before a frame's data") is var bits and (< 1 or > 11))
                        throw bytes.Broken($"a frame says {bits} bits a code", position);
                    position = SkipSubBlocks(bytes, position + 1, offset, out var dataBytes);
                    if (dataBytes == 0)
                        throw bytes.Broken("a frame has no data", offset);
                    frames++;
                    break;
                default:
                    throw bytes.Broken($"a block of the unknown kind {bytes.Span[(int)offset]:X2}", offset);
            }
        }
    }

    /// <summary>
    /// Where the first frame's graphic control extension says that one of its colours is transparent: the byte whose lowest
    /// bit says so. For a picture that <see cref="Read"/> has accepted.
    /// </summary>
    /// <returns>−1: it does not.</returns>
    public static int TransparencyOfFirstFrame(ReadOnlySpan<byte> data)
    {
        var bytes = new EncodedBytes(data, "GIF");
        var position = 13L + ColourTableLength(data[10]);
        var flags = -1;
        while (bytes.Byte(position, "before any frame") == Extension)
        {
            var block = data[(int)position..];
            if (block[1] == GraphicControl && block[2] == GraphicControlBytes) flags = (block[3] & HasTransparency) != 0 ? (int)position + 3 : -1;
            position = SkipSubBlocks(bytes, position + 2, position, out _);
        }

        return flags;
    }

    private static int ColourTableLength(byte flags) => (flags & 0x80) == 0 ? 0 : 3 << ((flags & 7) + 1);

    private static long SkipSubBlocks(EncodedBytes bytes, long position, long block, out long dataBytes)
    {
        dataBytes = 0;
        while (true)
        {
            var length = bytes.Byte(position, "inside a block, before the trailer", block);
            position += 1 + length;
            dataBytes += length;
            if (length == 0)
                return position;
        }
    }
}
