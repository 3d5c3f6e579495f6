using Serve.Core.Configuration;

namespace Serve.Worker.Images.Decoding.Turbo;

/// <summary>
/// How much smaller a JPEG may be decoded, in eighths of its sides: its frequencies are cut before pixels are made of them. Twice the
/// size that it is resized to stays, which keeps the difference within a few levels.
/// </summary>
internal static class JpegScale
{
    private const int Margin = 2;

    /// <summary>8 for all pixels, or 4, 2 or 1.</summary>
    public static int Eighths(int width, int height, ImagePreprocessing options)
    {
        if (options.JpegScaling == JpegScaling.Exact)
            return 8;
        var (leastWidth, leastHeight) = options switch
        {
            { ResizeShorterSide: { } side } => (side, side),
            { ResizeExactly: { } exactly } => (exactly.Width, exactly.Height),
            _ => (width, height),
        };

        // Others exist, but their transforms have no vector code: 6/8 takes longer than 8/8.
        for (var eighths = 1; eighths < 8; eighths *= 2)
        {
            if (Scaled(width, eighths) >= (long)Margin * leastWidth && Scaled(height, eighths) >= (long)Margin * leastHeight)
                return eighths;
        }

        return 8;
    }

    /// <summary>The side that the library makes of it.</summary>
    public static int Scaled(int side, int eighths) => ((side * eighths) + 7) / 8;
}
