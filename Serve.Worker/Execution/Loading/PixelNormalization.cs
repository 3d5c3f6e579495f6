using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;
using Serve.Worker.BuiltIn;
using Serve.Worker.Images;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Worker.Execution.Loading;

/// <summary>
/// <c>normalizeInModel</c>: puts the last steps of preprocessing (to floats, scale, mean and deviation, layout) before a
/// model's graph, so that it takes pixels as they come out of the resampler: bytes, row by row, a quarter of what floats take
/// on the way into the batch and to the device.
/// </summary>
internal sealed class PixelNormalization
{
    private const string Prefix = "serve_normalize";

    private readonly TensorInfo _input;
    private readonly ImagePreprocessing _preprocessing;

    private PixelNormalization(TensorInfo input, ImagePreprocessing preprocessing)
    {
        _input = input;
        _preprocessing = preprocessing;
    }

    /// <summary>The input that takes the place of the model's own.</summary>
    public TensorInfo Input => new(InputName, TensorElement.UInt8, [.. PixelOrder.Select(dimension => _input.Shape[dimension]).Take(3), Channels(_input.Shape[PixelOrder[3]])]);

    private string InputName => _input.Name + "_uint8";

    // Which dimension of the model's is the batch, the row, the column, the channel.
    private int[] PixelOrder => _preprocessing.Layout == TensorLayout.Nchw ? [0, 2, 3, 1] : [0, 1, 2, 3];

    /// <summary>Every number that decides about the result.</summary>
    public string Fingerprint => string.Create(CultureInfo.InvariantCulture,
        $"normalize {_input.Name} {_input.ElementType} {_preprocessing.Layout} {_preprocessing.Channels} {_preprocessing.Scale:R} [{string.Join(' ', _preprocessing.Mean)}] [{string.Join(' ', _preprocessing.Std)}]");

    /// <summary>What the graph before a model has to do.</summary>
    /// <param name="inputs">The model's inputs; null where they are not known.</param>
    /// <param name="configuration">The model's configuration.</param>
    /// <exception cref="InvalidModelException">The model takes no pictures of floats, or its handler none; the message says which.</exception>
    public static PixelNormalization For(IReadOnlyList<TensorInfo>? inputs, ModelConfiguration configuration)
    {
        if (configuration.Handler is not ("image_classifier" or "image_embedder"))
        {
            throw Refuse($"is for the handlers image_classifier and image_embedder; {configuration.Handler ?? HandlerSource.Default} makes its tensors itself");
        }

        if (inputs is not [var input]) throw Refuse(inputs is null ? "needs an ONNX model whose inputs are tensors" : $"needs a model with one input of pictures, and this one has {inputs.Count}: {string.Join(", ", inputs.Select(other => $"'{other.Name}'"))}");
        if (input.ElementType == TensorElement.UInt8) throw Refuse($"has nothing to do: the model's input '{input.Name}' takes bytes already");
        if (input.Shape.Count != 4) throw Refuse($"needs an input of pictures, [batch, channel, row, column] or [batch, row, column, channel], and '{input.Name}' has {input.Shape.Count} dimensions");

        return new PixelNormalization(input, PreprocessingResolver.Resolve(PictureInput.ForChannelsOf(input, configuration.Preprocessing), input));
    }

    /// <summary>What is left to do before the graph: pixels, row by row.</summary>
    public PreprocessingConfiguration Remaining(PreprocessingConfiguration preprocessing) =>
        preprocessing with { Channels = _preprocessing.Channels, Layout = TensorLayout.Nhwc };

    /// <summary>Rewrites a model in memory; its external data stay where they are.</summary>
    /// <exception cref="InvalidModelException">Its operators are too old.</exception>
    public void Prepend(ModelProto model)
    {
        var operatorSet = model.OpsetImport.FirstOrDefault(set => set.Domain is "" or "ai.onnx")?.Version ?? 1;
        if (operatorSet < 7) throw Refuse($"needs operator set 7 or newer, and the model has {operatorSet}; export it anew");

        var graph = model.Graph;
        var place = graph.Input.ToList().FindIndex(input => input.Name == _input.Name);
        var original = graph.Input[place];
        graph.Input[place] = PixelInput(original);

        var steps = new List<NodeProto>();
        var value = InputName;
        if (_preprocessing.Layout == TensorLayout.Nchw) value = Step(steps, "planes", "Transpose", [value], OnnxAttribute.Ints("perm", 0, 3, 1, 2)); // while they are bytes
        value = Step(steps, "floats", "Cast", [value], OnnxAttribute.Int("to", (long)DataType.Float));
        value = Step(steps, "scaled", "Mul", [value, Constant(graph, "scale", (_, std) => _preprocessing.Scale / std)]);
        value = Step(steps, "shifted", "Add", [value, Constant(graph, "shift", (mean, std) => -mean / std)]);
        if (_input.ElementType != TensorElement.Float32) value = Step(steps, "cast", "Cast", [value], OnnxAttribute.Int("to", original.Type.TensorType.ElemType));

        // The last step makes what the model's input was: nothing after it changes, in subgraphs neither.
        steps[^1].Output[0] = _input.Name;
        for (var i = 0; i < steps.Count; i++) graph.Node.Insert(i, steps[i]);
    }

    /// <summary>Reads a model's file whole and rewrites it.</summary>
    public byte[] Rewrite(string file)
    {
        ModelProto model;
        using (var stream = File.OpenRead(file)) model = ModelProto.Parser.ParseFrom(stream);
        Prepend(model);
        return model.ToByteArray();
    }

    private ValueInfoProto PixelInput(ValueInfoProto original)
    {
        var dimensions = original.Type.TensorType.Shape.Dim;
        var shape = new TensorShapeProto();
        foreach (var dimension in PixelOrder) shape.Dim.Add(dimensions[dimension].Clone());
        shape.Dim[3] = new TensorShapeProto.Types.Dimension { DimValue = Channels(shape.Dim[3].HasDimValue ? shape.Dim[3].DimValue : -1) };
        return new ValueInfoProto { Name = InputName, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)DataType.Uint8, Shape = shape } } };
    }

    private long Channels(long ofModel) => ofModel > 0 ? ofModel : _preprocessing.ChannelCount;

    /// <summary>One number for each channel, shaped so that it spreads over the pixels.</summary>
    private string Constant(GraphProto graph, string name, Func<double, double, double> of)
    {
        var channels = _preprocessing.ChannelCount;
        var values = Enumerable.Range(0, channels).Select(channel => (float)of(Of(_preprocessing.Mean, channel), Of(_preprocessing.Std, channel))).ToArray();
        var tensor = new TensorProto { Name = $"{Prefix}_{name}", DataType = (int)DataType.Float, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(values.AsSpan())) };
        tensor.Dims.AddRange(_preprocessing.Layout == TensorLayout.Nchw ? [channels, 1, 1] : [channels]);
        graph.Initializer.Add(tensor);
        return tensor.Name;

        static double Of(IReadOnlyList<double> values, int channel) => values[values.Count == 1 ? 0 : channel];
    }

    private static string Step(List<NodeProto> steps, string name, string operatorType, string[] inputs, params AttributeProto[] attributes)
    {
        var node = new NodeProto { Name = $"{Prefix}_{name}", OpType = operatorType, Input = { inputs }, Output = { $"{Prefix}_{name}" }, Attribute = { attributes } };
        steps.Add(node);
        return node.Output[0];
    }

    private static InvalidModelException Refuse(string why) => new($"preprocessing.normalizeInModel {why}.");
}
