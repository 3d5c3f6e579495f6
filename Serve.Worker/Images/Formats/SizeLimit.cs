namespace Serve.Worker.Images.Formats;

/// <summary>The check that stands between a header's numbers and any allocation.</summary>
internal static class SizeLimit
{
    /// <summary>Refuses no pixels at all and more than the limits allow.</summary>
    public static void Check(string format, long width, long height, long byteOffset, ImageLimits limits)
    {
        if (width <= 0 || height <= 0)
            throw new ImageException($"The {format} picture has no pixels: its header at byte {byteOffset} says {width}x{height}.", byteOffset);

        // Sides first: the product of two 31-bit sides fits a long, that of two hostile 64-bit ones would not.
        if (width > ImageLimits.MaxSide || height > ImageLimits.MaxSide)
            throw new ImageException($"The {format} picture is too large: its header at byte {byteOffset} says {width}x{height}, and no side may be longer than {ImageLimits.MaxSide} pixels.", byteOffset);
        if (width * height > limits.MaxImagePixels)
            throw new ImageException($"The {format} picture is too large: its header at byte {byteOffset} says {width}x{height} = {width * height} pixels, and at most {limits.MaxImagePixels} (maxImagePixels) are decoded.", byteOffset);
    }
}
