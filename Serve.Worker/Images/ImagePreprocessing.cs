using Serve.Core.Configuration;

namespace Serve.Worker.Images;

/// <summary>What one value of a picture's tensor is.</summary>
internal enum ImageElement
{
    /// <summary>Scaled and normalized, 32 bits.</summary>
    Float32,

    /// <summary>Scaled and normalized, then rounded to 16 bits.</summary>
    Float16,

    /// <summary>The level itself, 0 to 255: scale, mean and deviation are not applied, the model does that.</summary>
    UInt8,
}

/// <summary>
/// How a picture becomes a tensor, with nothing left to guess: torchvision's Resize, CenterCrop, ToTensor and Normalize.
/// </summary>
internal sealed record ImagePreprocessing
{
    /// <summary>The longest side that resizing or cropping may give.</summary>
    public const int MaxOutputSide = 8192;

    /// <summary>The side that the shorter one becomes; null when <see cref="ResizeExactly"/> is given or nothing is resized.</summary>
    public int? ResizeShorterSide { get; init; }

    /// <summary>Height and width that every picture becomes, whatever its proportions.</summary>
    public (int Height, int Width)? ResizeExactly { get; init; }

    /// <summary>Height and width of the middle that is kept; what a small picture lacks is black. Needed unless <see cref="ResizeExactly"/> is given: a model's input has one size.</summary>
    public (int Height, int Width)? Crop { get; init; }

    /// <summary>PIL's way: the filter widens with the reduction.</summary>
    public Interpolation Interpolation { get; init; } = Interpolation.Bilinear;

    /// <summary>Each level is multiplied by this; the default divides by 255, as torchvision's ToTensor.</summary>
    public double Scale { get; init; } = 1.0 / 255;

    /// <summary>One value, or one for each channel of the tensor in its order.</summary>
    public IReadOnlyList<double> Mean { get; init; } = [0];

    /// <summary>One value, or one for each channel of the tensor in its order.</summary>
    public IReadOnlyList<double> Std { get; init; } = [1];

    public ChannelOrder Channels { get; init; } = ChannelOrder.Rgb;

    public TensorLayout Layout { get; init; } = TensorLayout.Nchw;

    public ImageElement Element { get; init; } = ImageElement.Float32;

    public JpegDecoderChoice JpegDecoder { get; init; } = JpegDecoderChoice.Auto;

    public JpegScaling JpegScaling { get; init; } = JpegScaling.Exact;

    public ImageLimits Limits { get; init; } = new();

    /// <summary>Channels of the tensor.</summary>
    public int ChannelCount => Channels == ChannelOrder.Gray ? 1 : 3;

    /// <summary>Height and width of the tensor.</summary>
    public (int Height, int Width) OutputSize => Crop ?? ResizeExactly ?? default;

    /// <summary>Throws <see cref="ArgumentException"/>, naming the key, when the values do not make a tensor of one size.</summary>
    public void Validate()
    {
        if (ResizeShorterSide is not null && ResizeExactly is not null)
            throw new ArgumentException("resize gives both one number and two; give one number for the shorter side, or height and width.");
        if (ResizeShorterSide is { } shorter)
            CheckSide("resize", shorter);
        CheckSides("resize", ResizeExactly);
        CheckSides("crop", Crop);
        if (Crop is null && ResizeExactly is null)
            throw new ArgumentException("crop is missing: without it, or a resize of [height, width], each picture would become a tensor of another size.");
        if (!double.IsFinite(Scale) || Scale == 0)
            throw new ArgumentException($"scale is {Scale}; it must be a number other than 0.");
        CheckChannels("mean", Mean);
        CheckChannels("std", Std);
        if (Std.Any(value => value == 0))
            throw new ArgumentException("std holds a 0; every deviation divides.");
        Limits.Validate();
    }

    private void CheckChannels(string key, IReadOnlyList<double> values)
    {
        if (values.Count != 1 && values.Count != ChannelCount)
            throw new ArgumentException($"{key} has {values.Count} values; give 1 or {ChannelCount}, one for each channel.");
        if (!values.All(double.IsFinite))
            throw new ArgumentException($"{key} holds a value that is not a finite number.");
    }

    private static void CheckSides(string key, (int Height, int Width)? size)
    {
        if (size is not { } given)
            return;
        CheckSide(key, given.Height);
        CheckSide(key, given.Width);
    }

    private static void CheckSide(string key, int side)
    {
        if (side is < 1 or > MaxOutputSide)
            throw new ArgumentException($"{key} holds {side}; a side is 1 to {MaxOutputSide} pixels.");
    }
}
