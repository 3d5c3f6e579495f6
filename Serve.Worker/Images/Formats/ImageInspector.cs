namespace Serve.Worker.Images.Formats;

/// <summary>Everything that is checked before a decoder sees a byte: format, limits, wholeness. Allocates nothing for a good picture.</summary>
internal static class ImageInspector
{
    /// <summary>The picture's format and size. Throws <see cref="ImageException"/> when it must not be decoded.</summary>
    public static ImageHeader Inspect(ReadOnlySpan<byte> encoded, ImageLimits limits)
    {
        var format = ImageFormatSniffer.Sniff(encoded);
        if ((format & limits.Formats) == 0)
            throw Unwanted(format, limits);

        return format switch
        {
            ImageFormats.Jpeg => JpegWalk.Read(encoded, limits),
            ImageFormats.Png => PngWalk.Read(encoded, limits),
            ImageFormats.Gif => GifWalk.Read(encoded, limits),
            ImageFormats.Webp => WebpWalk.Read(encoded, limits),
            ImageFormats.Bmp => BmpWalk.Read(encoded, limits),
            _ => TiffWalk.Read(encoded, limits),
        };
    }

    // Apart, because a method with a closure allocates it whether it is needed or not.
    private static ImageException Unwanted(ImageFormats format, ImageLimits limits)
    {
        var accepted = Enum.GetValues<ImageFormats>().Where(known => known is not (ImageFormats.None or ImageFormats.All) && limits.Formats.HasFlag(known));
        return new ImageException($"The picture is a {NameOf(format)}, and this model accepts only: {string.Join(", ", accepted.Select(NameOf))}.", 0);
    }

    /// <summary>The format's name as people write it.</summary>
    public static string NameOf(ImageFormats format) => format switch
    {
        ImageFormats.Webp => "WebP",
        _ => format.ToString().ToUpperInvariant(),
    };
}
