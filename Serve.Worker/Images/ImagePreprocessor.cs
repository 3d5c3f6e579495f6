using Serve.Core.Configuration;
using Serve.Worker.Images.Decoding;
using Serve.Worker.Images.Formats;
using Serve.Worker.Images.Resampling;
using Serve.Worker.Images.Tensors;

namespace Serve.Worker.Images;

/// <summary>
/// An encoded picture into one row of a batch. Made once for a model; safe for all threads, each of which keeps its own buffers.
/// Hot path: what it allocates itself is nothing; a decoder may (ImageSharp: about 15 KB a JPEG).
/// </summary>
internal sealed unsafe class ImagePreprocessor
{
    [ThreadStatic]
    private static ResampleScratch? _scratch;

    private readonly ImagePreprocessing _options;
    private readonly IImageDecoder[] _decoders;
    private readonly TensorRowWriter _writer;
    private readonly AxisPlanCache _plans = new();
    private readonly SimdLevel _simd;

    /// <summary>Prepares everything that does not depend on a picture.</summary>
    /// <param name="options">What the tensor looks like and what a picture may be.</param>
    /// <param name="decoders">Tried in this order by format; null: those of <see cref="ImageDecoders"/>.</param>
    /// <param name="simd">The instructions to use; null: the fastest that there are.</param>
    public ImagePreprocessor(ImagePreprocessing options, IReadOnlyList<IImageDecoder>? decoders = null, SimdLevel? simd = null)
    {
        options.Validate();
        _options = options;
        _decoders = decoders?.ToArray() ?? ImageDecoders.For(options);
        _simd = simd ?? SimdLevels.Best;
        _writer = new TensorRowWriter(options, _simd);
        var (height, width) = options.OutputSize;
        OutputShape = options.Layout == TensorLayout.Nchw ? [options.ChannelCount, height, width] : [height, width, options.ChannelCount];
        OutputBytes = checked(options.ChannelCount * height * width * ElementBytes(options.Element));
    }

    /// <summary>What a picture takes in the batch, in bytes.</summary>
    public int OutputBytes { get; }

    /// <summary>The tensor of one picture, without the batch: channel, row, column or row, column, channel.</summary>
    public IReadOnlyList<int> OutputShape { get; }

    /// <summary>The coefficient plans in use, for tests and metrics.</summary>
    public AxisPlanCache Plans => _plans;

    /// <summary>Decodes a picture and writes its tensor.</summary>
    /// <param name="encoded">The whole file; must not change meanwhile.</param>
    /// <param name="destination">At least <see cref="OutputBytes"/>; undefined content when this throws.</param>
    /// <param name="cancellationToken">The request's end.</param>
    /// <exception cref="ImageException">The picture is refused; the message says why.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void Preprocess(ReadOnlySpan<byte> encoded, Span<byte> destination, CancellationToken cancellationToken)
    {
        if (destination.Length < OutputBytes)
            throw new ArgumentException($"The destination has {destination.Length} bytes and the tensor {OutputBytes}.", nameof(destination));

        cancellationToken.ThrowIfCancellationRequested();
        Preprocess(encoded, destination, _options.Limits.DecodeTimeout, cancellationToken);
    }

    /// <summary>
    /// Runs every decoder and every loop on small pictures, so that they are compiled before the first client comes. The compiler works in
    /// the background: what it finishes shortly after the return counts too.
    /// </summary>
    /// <param name="picturesPerPath">How many of each format; from about 100 on the second compilation tier is reached.</param>
    public void WarmUp(int picturesPerPath = 100)
    {
        var destination = new byte[OutputBytes];
        foreach (var picture in WarmUpPictures.For(_options.Limits))
        {
            // Without a limit: on a machine that starves, compiling the decoder alone can take longer.
            for (var i = 0; i < picturesPerPath; i++)
                Preprocess(picture, destination, Timeout.InfiniteTimeSpan, CancellationToken.None);
        }
    }

    private void Preprocess(ReadOnlySpan<byte> encoded, Span<byte> destination, TimeSpan decodeTimeout, CancellationToken cancellationToken)
    {
        var header = ImageInspector.Inspect(encoded, _options.Limits);
        using var image = Decode(encoded, header, decodeTimeout, cancellationToken);
        Resample(image, header, destination);
    }

    private IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, TimeSpan decodeTimeout, CancellationToken cancellationToken)
    {
        var limit = DecodeLimit.OfThread;
        var timeout = limit.Begin(decodeTimeout);
        try
        {
            using var link = cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), timeout);
            return DecoderOf(header.Format).Decode(encoded, header, timeout.Token);
        }
        catch (OperationCanceledException exception)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new ImageException($"The {ImageInspector.NameOf(header.Format)} picture of {header.Width}x{header.Height} pixels takes more than {decodeTimeout.TotalMilliseconds:0} ms (decodeTimeout) to decode.", exception);
        }
        finally
        {
            limit.End();
        }
    }

    private IImageDecoder DecoderOf(ImageFormats format)
    {
        foreach (var decoder in _decoders)
        {
            if ((decoder.Formats & format) != 0)
                return decoder;
        }

        throw new ImageException($"{ImageInspector.NameOf(format)} pictures cannot be decoded here.");
    }

    private void Resample(IDecodedImage image, in ImageHeader header, Span<byte> destination)
    {
        var plan = PlanFor(image, header);
        var grey = _options.Channels == ChannelOrder.Gray;
        var scratch = _scratch ??= new ResampleScratch();
        fixed (byte* tensor = destination)
        {
            switch (_simd)
            {
                case SimdLevel.Avx2:
                    new Resampler<Avx2Kernel>(image, plan, grey, _writer, tensor, scratch).Run();
                    break;
                case SimdLevel.Vector128:
                    new Resampler<Vector128Kernel>(image, plan, grey, _writer, tensor, scratch).Run();
                    break;
                default:
                    new Resampler<ScalarKernel>(image, plan, grey, _writer, tensor, scratch).Run();
                    break;
            }
        }

        scratch.Trim();
    }

    /// <summary>A picture that was decoded smaller becomes as large as the whole one would.</summary>
    private ResamplePlan PlanFor(IDecodedImage image, in ImageHeader header)
    {
        var (resizedWidth, resizedHeight) = (header.Width, header.Height);
        if (_options.ResizeShorterSide is { } shorterSide)
            (resizedWidth, resizedHeight) = AxisGeometry.ResizeShorterSide(header.Width, header.Height, shorterSide);
        else if (_options.ResizeExactly is { } exactly)
            (resizedWidth, resizedHeight) = (exactly.Width, exactly.Height);

        var x = AxisGeometry.Create(image.Width, resizedWidth, _options.Crop?.Width);
        var y = AxisGeometry.Create(image.Height, resizedHeight, _options.Crop?.Height);
        return new ResamplePlan(x, y, PlanFor(x), PlanFor(y));
    }

    private AxisPlan PlanFor(in AxisGeometry axis) => _plans.Get(axis, _options.Interpolation);

    private static int ElementBytes(ImageElement element) => element switch
    {
        ImageElement.Float32 => 4,
        ImageElement.Float16 => 2,
        _ => 1,
    };
}
