using System.Text;

namespace Serve.Worker.Images.Formats;

/// <summary>Tells formats by their first bytes, and tells people what they sent when it is no picture.</summary>
internal static class ImageFormatSniffer
{
    private static ReadOnlySpan<byte> Utf8ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>The format that the first bytes claim. Throws <see cref="ImageException"/> for everything else.</summary>
    public static ImageFormats Sniff(ReadOnlySpan<byte> data)
    {
        if (data.IsEmpty)
            throw new ImageException("The picture is empty: 0 bytes were sent.", 0);

        return Recognize(data) is var format && format != ImageFormats.None
            ? format
            : throw new ImageException(
                $"The {data.Length} bytes are not a picture that can be decoded: {Describe(data)}. JPEG, PNG, GIF, WebP, BMP and TIFF can be.", 0);
    }

    private static ImageFormats Recognize(ReadOnlySpan<byte> data)
    {
        if (data.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]))
            return ImageFormats.Jpeg;
        if (data.StartsWith(PngWalk.Signature))
            return ImageFormats.Png;
        if (data.StartsWith("GIF87a"u8) || data.StartsWith("GIF89a"u8))
            return ImageFormats.Gif;
        if (data.StartsWith("RIFF"u8) && data.Length >= 12 && data[8..].StartsWith("WEBP"u8))
            return ImageFormats.Webp;
        if (data.StartsWith("II*\0"u8) || data.StartsWith("MM\0*"u8))
            return ImageFormats.Tiff;
        if (data.StartsWith("BM"u8))
            return ImageFormats.Bmp;
        return ImageFormats.None;
    }

    private static string Describe(ReadOnlySpan<byte> data)
    {
        if (IsBeginningOfPicture(data) is { } format)
            return $"they are only the beginning of a {format} signature, cut off";
        if (data.Length >= 4 && data[0] == 0x89 && data[1..4].SequenceEqual("PNG"u8))
            return "they begin as a PNG, but its signature is damaged, as by a transfer in text mode";
        if (data.StartsWith("PK\x03\x04"u8) || data.StartsWith("PK\x05\x06"u8))
            return "they look like a ZIP archive";
        if (data.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
            return "they look like gzip data";
        if (data.StartsWith("%PDF"u8))
            return "they look like a PDF document";
        if (data.StartsWith("8BPS"u8))
            return "they look like a Photoshop document";
        if (data.Length >= 12 && data[4..8].SequenceEqual("ftyp"u8))
            return $"they look like a HEIC, AVIF or video file (brand '{Printable(data[8..12])}')";
        if (data.StartsWith((ReadOnlySpan<byte>)[0xFF, 0x0A]) || (data.Length >= 12 && data[4..8].SequenceEqual("JXL "u8)))
            return "they look like JPEG XL";
        if (data.Length >= 12 && data[4..8].SequenceEqual("jP  "u8))
            return "they look like JPEG 2000";
        if (data.StartsWith((ReadOnlySpan<byte>)[0, 0, 1, 0]))
            return "they look like a Windows icon";
        if (data.StartsWith("II+\0"u8) || data.StartsWith("MM\0+"u8))
            return "they look like a BigTIFF";
        return DescribeText(data) ?? $"they begin with the bytes {Convert.ToHexString(data[..Math.Min(8, data.Length)])}";
    }

    private static string? IsBeginningOfPicture(ReadOnlySpan<byte> data)
    {
        if (data.Length < 3 && ((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]).StartsWith(data))
            return "JPEG";
        if (data.Length < 8 && PngWalk.Signature.StartsWith(data))
            return "PNG";
        if (data.Length < 6 && ("GIF89a"u8.StartsWith(data) || "GIF87a"u8.StartsWith(data)))
            return "GIF";
        if (data.Length < 12 && data.StartsWith("RIFF"u8))
            return "WebP";
        return null;
    }

    private static string? DescribeText(ReadOnlySpan<byte> data)
    {
        var start = data.StartsWith(Utf8ByteOrderMark) ? data[Utf8ByteOrderMark.Length..] : data;
        start = start.TrimStart(" \t\r\n"u8);
        start = start[..Math.Min(64, start.Length)];
        if (start.IsEmpty || start.ContainsAnyInRange((byte)0, (byte)8))
            return null;

        var text = Encoding.Latin1.GetString(start);
        if (text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase) || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase))
            return "they look like an HTML page, perhaps an error page saved in the picture's place";
        if (text.StartsWith("<svg", StringComparison.OrdinalIgnoreCase))
            return "they look like an SVG drawing";
        if (text.StartsWith('<'))
            return "they look like XML";
        if (text.StartsWith("data:image/", StringComparison.Ordinal))
            return "they look like a data: URL; send the decoded bytes";
        if (text.StartsWith("/9j/", StringComparison.Ordinal) || text.StartsWith("iVBORw0KGgo", StringComparison.Ordinal) || text.StartsWith("R0lGOD", StringComparison.Ordinal) || text.StartsWith("UklGR", StringComparison.Ordinal))
            return "they look like a picture in base64; send the decoded bytes";
        if (text.StartsWith('{') || text.StartsWith('['))
            return "they look like JSON";
        return start.ContainsAnyExceptInRange((byte)9, (byte)126) ? null : "they look like plain text";
    }

    private static string Printable(ReadOnlySpan<byte> data)
    {
        Span<char> characters = stackalloc char[data.Length];
        for (var i = 0; i < data.Length; i++)
            characters[i] = data[i] is >= 32 and < 127 ? (char)data[i] : '?';
        return new string(characters);
    }
}
