using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Execution;
using Serve.Worker.Images;
using Serve.Worker.Images.Decoding;

namespace Serve.Worker.BuiltIn;

/// <summary>The model's input of pictures, and the way from a request's bytes into it.</summary>
internal sealed partial class PictureInput
{
    private readonly string _name;
    private readonly ImagePreprocessor _preprocessor;
    private readonly long[] _shape;

    private PictureInput(string name, ImagePreprocessor preprocessor, bool hasBatchDimension)
    {
        _name = name;
        _preprocessor = preprocessor;
        long[] shape = [.. preprocessor.OutputShape.Select(side => (long)side)];
        _shape = hasBatchDimension ? shape : [1, .. shape];
    }

    /// <exception cref="InvalidModelException">The model does not take exactly one picture, or the configuration does not fit it.</exception>
    public static PictureInput Find(HandlerContext context, string handler)
    {
        var signature = context.Signature ?? throw new InvalidModelException($"{handler} needs an ONNX model.");
        if (signature.Inputs.Count != 1)
        {
            throw new InvalidModelException($"{handler} feeds one input and the model has {signature.Inputs.Count}: {string.Join(", ", signature.Inputs.Select(candidate => $"'{candidate.Name}'"))}; write a handler of your own for it.");
        }

        var input = signature.Inputs[0];
        if (input.Shape.Count == 4 && input.Shape[0] is not (-1 or 1))
        {
            throw new InvalidModelException($"{handler} feeds one picture for each request, and the model's input '{input.Name}' of shape {ShapeText.Of([.. input.Shape])} takes {input.Shape[0]} at once; export it with a dynamic batch.");
        }

        var preprocessing = ForChannelsOf(input, context.Configuration.Preprocessing);
        var resolved = PreprocessingResolver.Resolve(preprocessing, input);
        Log.JpegDecoder(context.Logger, ImageDecoders.JpegName(resolved));
        return new PictureInput(input.Name, new ImagePreprocessor(resolved), signature.Batching != RowBatching.None || input.Shape.Count == 3);
    }

    public void Write(HandlerRequest request, InputRow inputs)
    {
        using var encoded = EncodedInput.Of(request.Input);
        _preprocessor.Preprocess(encoded.Bytes, inputs.Allocate(_name, _shape), CancellationToken.None);
    }

    public void WriteZeros(InputRow inputs) => inputs.Allocate(_name, _shape).Clear();

    /// <summary>Has the decoders and the resampler compiled. What they are compiled for does not depend on the model: small tensors do.</summary>
    public static void WarmUp(ModelConfiguration configuration)
    {
        var small = configuration.Preprocessing with { Resize = [32], Crop = [32], Mean = [0], Std = [1], Channels = ChannelOrder.Rgb, Layout = TensorLayout.Nchw };
        var input = new TensorInfo("", TensorElement.Float32, [-1, 3, 32, 32]);
        new ImagePreprocessor(PreprocessingResolver.Resolve(small, input)).WarmUp(configuration.Warmup.Decodes);
    }

    // A model with one channel can only mean grey, and rgb is what the configuration says when it says nothing.
    public static PreprocessingConfiguration ForChannelsOf(TensorInfo input, PreprocessingConfiguration preprocessing)
    {
        if (input.Shape.Count != 4 || preprocessing.Channels != ChannelOrder.Rgb) return preprocessing;
        var channels = preprocessing.Layout switch
        {
            TensorLayout.Nchw => input.Shape[1],
            TensorLayout.Nhwc => input.Shape[3],
            _ => input.Shape[1] is 1 || input.Shape[3] is not 1 ? input.Shape[1] : 1,
        };
        return channels == 1 ? preprocessing with { Channels = ChannelOrder.Gray } : preprocessing;
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "JPEGs are decoded by {Decoder}")]
        public static partial void JpegDecoder(ILogger logger, string decoder);
    }
}
