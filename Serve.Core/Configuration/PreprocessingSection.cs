using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>The section <c>preprocessing</c> of a model's configuration.</summary>
internal static class PreprocessingSection
{
    /// <summary>The longest side that a picture is resized or cropped to.</summary>
    private const int MaxSide = 8192;

    private static readonly string[] KnownFormats = ["jpeg", "png", "gif", "bmp", "tiff", "webp"];

    public static PreprocessingConfiguration Bind(SettingsReader settings, PreprocessingConfiguration fallback)
    {
        var preprocessing = fallback with
        {
            Resize = Sides(settings, "resize", fallback.Resize),
            Crop = Sides(settings, "crop", fallback.Crop),
            Interpolation = settings.Choice("interpolation", fallback.Interpolation),
            Scale = settings.Number("scale", fallback.Scale, scale => scale is > 0 and <= 1000, "a number above 0, up to 1000, or a fraction such as 1/255"),
            Mean = settings.List("mean", fallback.Mean, Channel, "one number for all channels, or one each, for example [0.485, 0.456, 0.406]", IsOneOrThree),
            Std = settings.List("std", fallback.Std, Channel, "numbers that are not 0: one for all channels, or one each, for example [0.229, 0.224, 0.225]",
                values => IsOneOrThree(values) && !values.Contains(0)),
            Channels = settings.Choice("channels", fallback.Channels),
            Layout = settings.OptionalChoice("layout", fallback.Layout),
            NormalizeInModel = settings.Flag("normalizeInModel", fallback.NormalizeInModel),
            MaxImagePixels = settings.Long("maxImagePixels", fallback.MaxImagePixels, 1, 4_000_000_000),
            DecodeTimeout = settings.Duration("decodeTimeout", fallback.DecodeTimeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(10)),
            JpegDecoder = settings.Choice("jpegDecoder", fallback.JpegDecoder),
            JpegScaling = settings.Choice("jpegScaling", fallback.JpegScaling),
            Formats = settings.Words("formats", fallback.Formats, KnownFormats, "some of " + string.Join(", ", KnownFormats)),
        };

        settings.Finish();
        if (preprocessing.Formats.Count == 0) settings.Problem("formats", "is empty; give some of " + string.Join(", ", KnownFormats));
        CheckChannels(settings, "mean", preprocessing.Mean, preprocessing.Channels);
        CheckChannels(settings, "std", preprocessing.Std, preprocessing.Channels);
        return preprocessing;
    }

    private static IReadOnlyList<int>? Sides(SettingsReader settings, string key, IReadOnlyList<int>? fallback) =>
        settings.OptionalList(key, fallback, Side, $"one number from 1 to {MaxSide}, two ([height, width]), or none", sides => sides.Count <= 2, noneIsEmpty: true);

    private static int? Side(YamlScalar item) => item.IsPlain && ValueText.Integer(item.Text) is >= 1 and <= MaxSide and var side ? (int)side : null;

    private static double? Channel(YamlScalar item) => item.IsPlain ? ValueText.Number(item.Text) : null;

    private static bool IsOneOrThree(IReadOnlyList<double> values) => values.Count is 1 or 3;

    private static void CheckChannels(SettingsReader settings, string key, IReadOnlyList<double> values, ChannelOrder channels)
    {
        if (channels is ChannelOrder.Gray && values.Count != 1)
        {
            settings.Problem(settings.Has(key) ? key : "channels", $"gray has one channel, but {key} has {values.Count} values; give {key} with one");
        }
    }
}
