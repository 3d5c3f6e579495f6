using System.Text.Json.Serialization;

namespace Serve.Core.Configuration;

/// <summary>
/// How a picture becomes a tensor: torchvision's Resize, CenterCrop, scaling and Normalize, in that order, equal to PIL's
/// antialiased resampling. The defaults are TorchServe's <c>image_classifier</c>'s (ImageNet).
/// </summary>
public sealed record PreprocessingConfiguration
{
    /// <summary>
    /// One number: the shorter side after resizing. Two: height and width. Empty: no resizing. Null (not in the file):
    /// 256, or the model's own height and width where the crop is not given either and the input's size is fixed and not 224.
    /// </summary>
    public IReadOnlyList<int>? Resize { get; init; }

    /// <summary>One number: a square. Two: height and width. Empty: no crop. Null: the model's input height and width.</summary>
    public IReadOnlyList<int>? Crop { get; init; }

    /// <summary>The resampling filter. Default bilinear.</summary>
    public Interpolation Interpolation { get; init; } = Interpolation.Bilinear;

    /// <summary>Each channel value is multiplied by this before mean and deviation. Default 1/255.</summary>
    public double Scale { get; init; } = 1.0 / 255;

    /// <summary>Subtracted from each channel after scaling; one value for all channels, or one each.</summary>
    public IReadOnlyList<double> Mean { get; init; } = [0.485, 0.456, 0.406];

    /// <summary>Divides each channel after the mean; one value for all channels, or one each; never 0.</summary>
    public IReadOnlyList<double> Std { get; init; } = [0.229, 0.224, 0.225];

    /// <summary>Which channels the tensor has, in which order.</summary>
    public ChannelOrder Channels { get; init; } = ChannelOrder.Rgb;

    /// <summary>The tensor's layout. Null: told from the model's input shape.</summary>
    public TensorLayout? Layout { get; init; }

    /// <summary>
    /// Whether scale, mean, deviation and layout are put before the model's graph when it is loaded, so that pixels reach the
    /// device as bytes: a quarter of the memory and of the bus. The answers are the same within rounding. Default false.
    /// </summary>
    public bool NormalizeInModel { get; init; }

    /// <summary>The most pixels a picture may have (width × height as its header says). Default 89,478,485, PIL's warning limit.</summary>
    public long MaxImagePixels { get; init; } = 89_478_485;

    /// <summary>The longest a picture may take to decode. Milliseconds in the file. Default 2 s.</summary>
    public TimeSpan DecodeTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>What decodes JPEGs. Default auto.</summary>
    public JpegDecoderChoice JpegDecoder { get; init; } = JpegDecoderChoice.Auto;

    /// <summary>Whether large JPEGs may be decoded at a smaller size. Default exact.</summary>
    public JpegScaling JpegScaling { get; init; } = JpegScaling.Exact;

    /// <summary>Picture formats that are accepted: <c>jpeg</c>, <c>png</c>, <c>gif</c>, <c>bmp</c>, <c>tiff</c>, <c>webp</c>.</summary>
    public IReadOnlyList<string> Formats { get; init; } = ["jpeg", "png", "gif", "bmp", "tiff", "webp"];
}

/// <summary>A resampling filter, as PIL defines it.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<Interpolation>))]
public enum Interpolation
{
    /// <summary>Triangle filter.</summary>
    Bilinear,

    /// <summary>Keys' cubic, a = −0.5.</summary>
    Bicubic,
}

/// <summary>The channels of a picture's tensor.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ChannelOrder>))]
public enum ChannelOrder
{
    /// <summary>Red, green, blue.</summary>
    Rgb,

    /// <summary>Blue, green, red.</summary>
    Bgr,

    /// <summary>One channel, ITU-R 601 luma as PIL's <c>convert("L")</c>.</summary>
    Gray,
}

/// <summary>What decodes JPEGs.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JpegDecoderChoice>))]
public enum JpegDecoderChoice
{
    /// <summary>libjpeg-turbo where the machine has it, else ImageSharp.</summary>
    Auto,

    /// <summary>ImageSharp: managed code, no library of the machine's; its colours differ from PIL's by half a level on average.</summary>
    ImageSharp,

    /// <summary>libjpeg-turbo, equal to PIL; the model does not load where it is missing.</summary>
    Turbo,
}

/// <summary>Whether large JPEGs may be decoded at a smaller size.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JpegScaling>))]
public enum JpegScaling
{
    /// <summary>All pixels are decoded.</summary>
    Exact,

    /// <summary>An eighth, a quarter or half of the size: the smallest that leaves twice the size that the picture is resized to. libjpeg-turbo only.</summary>
    Fast,
}

/// <summary>The order of a picture tensor's dimensions.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TensorLayout>))]
public enum TensorLayout
{
    /// <summary>Batch, channel, row, column.</summary>
    Nchw,

    /// <summary>Batch, row, column, channel.</summary>
    Nhwc,
}
