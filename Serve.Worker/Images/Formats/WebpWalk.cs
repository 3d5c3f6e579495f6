using System.Text;

namespace Serve.Worker.Images.Formats;

/// <summary>Walks the chunks of a WebP file: size of canvas and picture, truncation (RFC 9649).</summary>
internal static class WebpWalk
{
    /// <summary>Reads the header and demands that the picture is whole.</summary>
    public static ImageHeader Read(ReadOnlySpan<byte> data, ImageLimits limits)
    {
        var bytes = new EncodedBytes(data, "WebP");
        var end = 8L + bytes.UInt32LittleEndian(4, "inside the file header");
        if (end > bytes.Length)
            throw bytes.CutOff($"before the {end} bytes that its header promises");

        ImageHeader? canvas = null;
        long position = 12;
        while (position < end)
        {
            var offset = position;
            var name = bytes.Slice(offset, 4, "inside a chunk's header");
            long length = bytes.UInt32LittleEndian(offset + 4, "inside a chunk's header");
            if (offset + 8 + length > end)
                throw bytes.Broken($"chunk '{Encoding.Latin1.GetString(name)}' of {length} bytes is longer than the file says it is", offset);
            position = offset + 8 + length + (length & 1);

            if (name.SequenceEqual("VP8X"u8))
            {
                var extended = bytes.Slice(offset + 8, 10, "inside its extended header");
                if ((extended[0] & 2) != 0)
                    throw bytes.Unsupported("it is an animation", offset + 8);
                canvas = Header(limits, 1 + ReadUInt24(extended[4..]), 1 + ReadUInt24(extended[7..]), offset + 12);
            }
            else if (name.SequenceEqual("VP8 "u8))
            {
                return Within(bytes, canvas, LossySize(bytes, offset + 8, length, limits), offset);
            }
            else if (name.SequenceEqual("VP8L"u8))
            {
                return Within(bytes, canvas, LosslessSize(bytes, offset + 8, length, limits), offset);
            }
        }

        throw bytes.Broken("it has no picture data", position);
    }

    private static ImageHeader Within(EncodedBytes bytes, ImageHeader? canvas, ImageHeader picture, long offset) =>
        canvas is null || canvas == picture
            ? picture
            : throw bytes.Broken($"its canvas is {canvas.Value.Width}x{canvas.Value.Height} and its picture {picture.Width}x{picture.Height}", offset);

    /// <summary>RFC 6386, section 9.1: frame tag, start code, two 14-bit sizes; the first partition's length is in the tag.</summary>
    private static ImageHeader LossySize(EncodedBytes bytes, long offset, long length, ImageLimits limits)
    {
        var header = bytes.Slice(offset, 10, "inside the picture's header");
        if (length < 10 || (header[0] & 1) != 0 || !header[3..6].SequenceEqual((ReadOnlySpan<byte>)[0x9D, 0x01, 0x2A]))
            throw bytes.Broken("its picture does not start with a key frame", offset);
        var firstPartition = ReadUInt24(header) >> 5;
        if (10 + firstPartition > length)
            throw bytes.Broken($"its first partition of {firstPartition} bytes is longer than its chunk", offset);
        return Header(limits, (header[6] | (header[7] << 8)) & 0x3FFF, (header[8] | (header[9] << 8)) & 0x3FFF, offset + 6);
    }

    private static ImageHeader LosslessSize(EncodedBytes bytes, long offset, long length, ImageLimits limits)
    {
        var header = bytes.Slice(offset, 5, "inside the picture's header");
        if (length < 5 || header[0] != 0x2F)
            throw bytes.Broken("its lossless picture does not start with 2F", offset);
        var sizes = bytes.UInt32LittleEndian(offset + 1, "");
        return Header(limits, 1 + (int)(sizes & 0x3FFF), 1 + (int)((sizes >> 14) & 0x3FFF), offset + 1);
    }

    private static ImageHeader Header(ImageLimits limits, int width, int height, long offset)
    {
        SizeLimit.Check("WebP", width, height, offset, limits);
        return new ImageHeader(ImageFormats.Webp, width, height);
    }

    private static int ReadUInt24(ReadOnlySpan<byte> data) => data[0] | (data[1] << 8) | (data[2] << 16);
}
