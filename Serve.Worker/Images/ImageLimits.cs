namespace Serve.Worker.Images;

/// <summary>What a picture from a stranger may be and cost.</summary>
internal sealed record ImageLimits
{
    /// <summary>No format is decoded with a longer side: it keeps coefficient tables small. JPEG and GIF cannot say more.</summary>
    public const int MaxSide = 65_535;

    /// <summary>The most pixels (width times height). Default: PIL's warning limit. A decoder's largest single buffer is 8 bytes a pixel.</summary>
    public long MaxImagePixels { get; init; } = 89_478_485;

    /// <summary>How long one picture may be decoded before it is refused.</summary>
    public TimeSpan DecodeTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The formats that are decoded; others are refused by name.</summary>
    public ImageFormats Formats { get; init; } = ImageFormats.All;

    /// <summary>Throws when a value makes no sense.</summary>
    public void Validate()
    {
        if (MaxImagePixels < 1)
            throw new ArgumentException($"maxImagePixels is {MaxImagePixels}; it must be at least 1.");
        if (DecodeTimeout <= TimeSpan.Zero || DecodeTimeout > TimeSpan.FromDays(1))
            throw new ArgumentException($"decodeTimeout is {DecodeTimeout}; it must be above zero and at most a day.");
        if (Formats == ImageFormats.None || (Formats & ~ImageFormats.All) != 0)
            throw new ArgumentException($"formats is {Formats}; give at least one of jpeg, png, gif, webp, bmp, tiff.");
    }
}
