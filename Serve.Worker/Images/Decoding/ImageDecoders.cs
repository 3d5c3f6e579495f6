using Serve.Core.Configuration;
using Serve.Worker.Images.Decoding.Png;
using Serve.Worker.Images.Decoding.Turbo;

namespace Serve.Worker.Images.Decoding;

/// <summary>Which decoders a model's pictures go to.</summary>
internal static class ImageDecoders
{
    /// <summary>In the order in which they are asked.</summary>
    /// <exception cref="ArgumentException">libjpeg-turbo is demanded and the machine has none.</exception>
    public static IImageDecoder[] For(ImagePreprocessing options)
    {
        var imageSharp = new ImageSharpDecoder(options.Limits);
        return Turbo(options) is { } turbo
            ? [new PngDecoder(), new TurboJpegDecoder(turbo, imageSharp, options), imageSharp]
            : [new PngDecoder(), imageSharp];
    }

    /// <summary>Throws when the machine lacks what the options demand.</summary>
    public static void Check(ImagePreprocessing options) => Turbo(options);

    /// <summary>What reads JPEGs, for people.</summary>
    public static string JpegName(ImagePreprocessing options) => Turbo(options) is { } turbo ? $"libjpeg-turbo ({turbo.Name})" : "ImageSharp";

    private static TurboJpegLibrary? Turbo(ImagePreprocessing options) => options.JpegDecoder switch
    {
        JpegDecoderChoice.ImageSharp => null,
        JpegDecoderChoice.Turbo => TurboJpegLibrary.Installed ?? throw new ArgumentException($"jpegDecoder is turbo, and this machine has no libjpeg-turbo: {TurboJpegLibrary.HowToInstall}, or use auto."),
        _ => TurboJpegLibrary.Installed,
    };
}
