namespace Serve.Worker.Images;

/// <summary>Encodings of still pictures; flags, so that a deployment can say which it accepts.</summary>
[Flags]
internal enum ImageFormats
{
    None = 0,
    Jpeg = 1,
    Png = 2,
    Gif = 4,
    Webp = 8,
    Bmp = 16,
    Tiff = 32,

    /// <summary>Everything that can be decoded. TIFF and BMP are rarely sent to models: switch them off where they are not wanted, each format is attack surface.</summary>
    All = Jpeg | Png | Gif | Webp | Bmp | Tiff,
}
