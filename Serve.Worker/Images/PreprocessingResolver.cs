using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Images.Decoding;

namespace Serve.Worker.Images;

/// <summary>Fills what a model's configuration leaves open from the model's own input, and refuses what does not fit it.</summary>
internal static class PreprocessingResolver
{
    private const int DefaultResize = 256;
    private const int DefaultCrop = 224;

    /// <summary>The preprocessing for an input of pictures.</summary>
    /// <exception cref="InvalidModelException">The configuration contradicts itself or the model; the message names the key.</exception>
    public static ImagePreprocessing Resolve(PreprocessingConfiguration configuration, TensorInfo input)
    {
        var dimensions = input.Shape.Count == 4 ? input.Shape.Skip(1).ToArray() : [.. input.Shape];
        if (dimensions.Length != 3)
            throw new InvalidModelException($"Input '{input.Name}' has the shape [{string.Join(", ", input.Shape)}]; a picture needs [batch, channel, row, column] or [batch, row, column, channel].");

        var channels = configuration.Channels == ChannelOrder.Gray ? 1 : 3;
        var layout = configuration.Layout ?? LayoutOf(dimensions, channels);
        var (channelDimension, height, width) = layout == TensorLayout.Nchw
            ? (dimensions[0], dimensions[1], dimensions[2])
            : (dimensions[2], dimensions[0], dimensions[1]);
        if (channelDimension > 0 && channelDimension != channels)
            throw new InvalidModelException($"Input '{input.Name}' has {channelDimension} channels and preprocessing.channels is {configuration.Channels.ToString().ToLowerInvariant()}, which gives {channels}; use {(channelDimension == 1 ? "gray" : "rgb or bgr")}, or set preprocessing.layout if the model's layout is another.");

        (int Height, int Width)? modelSize = height > 0 && width > 0 ? ((int)Math.Min(height, int.MaxValue), (int)Math.Min(width, int.MaxValue)) : null;
        var resolved = WithSizes(configuration, modelSize) with
        {
            Interpolation = configuration.Interpolation,
            Scale = configuration.Scale,
            Mean = configuration.Mean,
            Std = configuration.Std,
            Channels = configuration.Channels,
            Layout = layout,
            Element = ElementOf(input),
            JpegDecoder = configuration.JpegDecoder,
            JpegScaling = configuration.JpegScaling,
            Limits = new ImageLimits
            {
                MaxImagePixels = configuration.MaxImagePixels,
                DecodeTimeout = configuration.DecodeTimeout,
                Formats = FormatsOf(configuration.Formats),
            },
        };

        try
        {
            resolved.Validate();
            ImageDecoders.Check(resolved);
        }
        catch (ArgumentException exception)
        {
            throw new InvalidModelException($"preprocessing: {exception.Message}", exception);
        }

        if (modelSize is { } size && size != resolved.OutputSize)
            throw new InvalidModelException($"preprocessing gives pictures of {resolved.OutputSize.Height}x{resolved.OutputSize.Width} (height x width) and input '{input.Name}' takes {size.Height}x{size.Width}; set preprocessing.crop.");
        return resolved;
    }

    private static TensorLayout LayoutOf(long[] dimensions, int channels) =>
        dimensions[0] != channels && dimensions[2] == channels ? TensorLayout.Nhwc : TensorLayout.Nchw;

    private static ImagePreprocessing WithSizes(PreprocessingConfiguration configuration, (int Height, int Width)? modelSize)
    {
        var resolved = new ImagePreprocessing
        {
            Crop = configuration.Crop switch
            {
                null => modelSize ?? (DefaultCrop, DefaultCrop),
                [] => null,
                [var side] => (side, side),
                [var height, var width] => (height, width),
                var other => throw Sizes("crop", other),
            },
        };
        return configuration.Resize switch
        {
            null when configuration.Crop is null && modelSize is { } size && size != (DefaultCrop, DefaultCrop) => resolved with { ResizeExactly = size },
            null => resolved with { ResizeShorterSide = DefaultResize },
            [] => resolved,
            [var shorter] => resolved with { ResizeShorterSide = shorter },
            [var height, var width] => resolved with { ResizeExactly = (height, width) },
            var other => throw Sizes("resize", other),
        };
    }

    private static InvalidModelException Sizes(string key, IReadOnlyList<int> values) =>
        new($"preprocessing.{key} is [{string.Join(", ", values)}]; give one number, or height and width, or [] for none.");

    private static ImageElement ElementOf(TensorInfo input) => input.ElementType switch
    {
        TensorElement.Float32 => ImageElement.Float32,
        TensorElement.Float16 => ImageElement.Float16,
        TensorElement.UInt8 => ImageElement.UInt8,
        var other => throw new InvalidModelException($"Input '{input.Name}' takes {other}; pictures become Float32, Float16 or UInt8."),
    };

    private static ImageFormats FormatsOf(IReadOnlyList<string> names)
    {
        var formats = ImageFormats.None;
        foreach (var name in names)
        {
            formats |= name.ToLowerInvariant() switch
            {
                "jpeg" or "jpg" => ImageFormats.Jpeg,
                "png" => ImageFormats.Png,
                "gif" => ImageFormats.Gif,
                "webp" => ImageFormats.Webp,
                "bmp" => ImageFormats.Bmp,
                "tiff" or "tif" => ImageFormats.Tiff,
                _ => throw new InvalidModelException($"preprocessing.formats holds '{name}'; known are jpeg, png, gif, webp, bmp and tiff."),
            };
        }

        return formats;
    }
}
