using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using Serve.Core.Onnx.Format;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Core.Onnx;

/// <summary>
/// Writes down a graph in the order in which it computes. Every value has a name of the author's choosing, which is
/// what profilers and viewers show; a name used twice is an error at once, not when the model is loaded.
/// </summary>
/// <remarks>
/// Small constants (shapes, scales) go into the model file, because shape inference must see them. Weights only get
/// their place in the data file; their values come when the model is written (<see cref="OnnxModelWriter"/>).
/// </remarks>
internal sealed class OnnxGraphBuilder(string graphName, string dataFileName)
{
    /// <summary>The domain of ONNX Runtime's own operators.</summary>
    public const string RuntimeDomain = "com.microsoft";

    private readonly GraphProto _graph = new() { Name = graphName };
    private readonly List<OnnxWeight> _weights = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private long _dataEnd;

    public OnnxValue Input(string name, DataType type, params ReadOnlySpan<OnnxDimension> shape)
    {
        Claim(name);
        _graph.Input.Add(Describe(name, type, shape));
        return new(name);
    }

    /// <summary>Declares <paramref name="value"/> an output of the graph. It keeps its name.</summary>
    public OnnxGraphBuilder Output(OnnxValue value, DataType type, params ReadOnlySpan<OnnxDimension> shape)
    {
        if (!_names.Contains(value.Name))
        {
            throw new ArgumentException($"Nothing in the graph is called '{value}'.", nameof(value));
        }

        _graph.Output.Add(Describe(value.Name, type, shape));
        return this;
    }

    /// <summary>A weight in the data file: the next free place that is aligned to a page.</summary>
    public OnnxValue Weight(string name, DataType type, params IEnumerable<long> shape)
    {
        if (type is not (DataType.Float or DataType.Float16))
        {
            throw new ArgumentException($"Weights are FLOAT or FLOAT16; '{name}' is {type}.", nameof(type));
        }

        Claim(name);
        const long mask = OnnxModel.DataAlignmentBytes - 1;
        var weight = new OnnxWeight(name, [.. shape], type, (_dataEnd + mask) & ~mask);
        _weights.Add(weight);
        _dataEnd = weight.OffsetBytes + weight.LengthBytes;

        var tensor = new TensorProto { Name = name, DataType = (int)type, DataLocation = TensorProto.Types.DataLocation.External };
        tensor.Dims.AddRange(weight.Shape);
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = dataFileName });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = Invariant(weight.OffsetBytes) });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = Invariant(weight.LengthBytes) });
        _graph.Initializer.Add(tensor);
        return new(name);
    }

    /// <summary>A list of integers: a shape, pads, the sizes of a split.</summary>
    public OnnxValue Constant(string name, params ReadOnlySpan<long> values) =>
        Constant(name, DataType.Int64, [values.Length], MemoryMarshal.AsBytes(values));

    /// <summary>A scalar of the type that the graph computes in.</summary>
    public OnnxValue Constant(string name, DataType type, float value) => type switch
    {
        DataType.Float => Constant(name, type, [], MemoryMarshal.AsBytes<float>([value])),
        DataType.Float16 => Constant(name, type, [], MemoryMarshal.AsBytes<Half>([(Half)value])),
        _ => throw new ArgumentException($"A scalar constant is FLOAT or FLOAT16; '{name}' is {type}.", nameof(type)),
    };

    /// <summary>Applies an operator that puts out one value, which gets the node's name.</summary>
    public OnnxValue Node(string name, string operatorType, ReadOnlySpan<OnnxValue> inputs, params ReadOnlySpan<AttributeProto> attributes) =>
        Node(name, operatorType, [name], inputs, attributes)[0];

    /// <summary>Applies an operator that puts out several values, each with its own name; an empty name is an output that nobody wants.</summary>
    public OnnxValue[] Node(
        string name, string operatorType, ReadOnlySpan<string> outputs, ReadOnlySpan<OnnxValue> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var node = new NodeProto { Name = name, OpType = operatorType };
        foreach (var input in inputs)
        {
            if (input == default)
            {
                node.Input.Add("");
                continue;
            }

            if (!_names.Contains(input.Name))
            {
                throw new ArgumentException($"Node '{name}' ({operatorType}) takes '{input}', which nothing before it makes.", nameof(inputs));
            }

            node.Input.Add(input.Name);
        }

        var values = new OnnxValue[outputs.Length];
        for (var i = 0; i < outputs.Length; i++)
        {
            if (outputs[i].Length > 0) Claim(outputs[i]);
            node.Output.Add(outputs[i]);
            values[i] = new(outputs[i]);
        }

        node.Attribute.AddRange(attributes.ToArray());
        _graph.Node.Add(node);
        return values;
    }

    /// <summary>Applies an operator that only ONNX Runtime has. An input that is left out is <c>default</c>.</summary>
    public OnnxValue[] RuntimeNode(
        string name, string operatorType, ReadOnlySpan<string> outputs, ReadOnlySpan<OnnxValue> inputs, params ReadOnlySpan<AttributeProto> attributes)
    {
        var values = Node(name, operatorType, outputs, inputs, attributes);
        _graph.Node[^1].Domain = RuntimeDomain;
        return values;
    }

    /// <summary>The finished model. The intermediate representation's version follows from the operator set.</summary>
    public OnnxModel Build(OnnxModelHeader header)
    {
        var model = new ModelProto
        {
            IrVersion = header.IrVersion,
            ProducerName = header.Producer,
            DocString = header.Description,
            Graph = _graph.Clone(),
        };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = header.OperatorSet });
        if (_graph.Node.Any(node => node.Domain == RuntimeDomain))
        {
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = RuntimeDomain, Version = 1 });
        }

        return new(model, dataFileName, [.. _weights]);
    }

    private OnnxValue Constant(string name, DataType type, long[] shape, ReadOnlySpan<byte> littleEndian)
    {
        Claim(name);
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(littleEndian) };
        tensor.Dims.AddRange(shape);
        _graph.Initializer.Add(tensor);
        return new(name);
    }

    private void Claim(string name)
    {
        if (string.IsNullOrEmpty(name) || !_names.Add(name))
        {
            throw new ArgumentException($"A value called '{name}' is already in the graph, or the name is empty.", nameof(name));
        }
    }

    private static ValueInfoProto Describe(string name, DataType type, ReadOnlySpan<OnnxDimension> shape)
    {
        var tensor = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = new() };
        foreach (var dimension in shape)
        {
            tensor.Shape.Dim.Add(dimension.ToProto());
        }

        return new() { Name = name, Type = new() { TensorType = tensor } };
    }

    private static string Invariant(long value) => value.ToString(CultureInfo.InvariantCulture);
}
