using Google.Protobuf;
using Serve.Core.Onnx.Format;

namespace Serve.Core.Onnx;

/// <summary>
/// Reads a model's graph without its weights: what is large in a tensor is skipped in the file and never in memory, so a
/// model of gigabytes is read in milliseconds. Small tensors (shapes, scales, epsilons) keep their values.
/// </summary>
/// <remarks>The file may come from anywhere: lengths are checked against what is left before anything is read for them.</remarks>
internal sealed class OnnxOutlineReader
{
    /// <summary>Values of a tensor that are kept: enough for every shape and scalar that gives a graph its meaning.</summary>
    private const int LargestKeptField = 1024;

    /// <summary>Everything but weights: a large language model's graph has some tens of megabytes.</summary>
    private const long LargestOutline = 512L << 20;

    /// <summary>Graphs in attributes of nodes in graphs.</summary>
    private const int DeepestGraph = 32;

    private readonly Stream _stream;
    private long _kept;

    private OnnxOutlineReader(Stream stream) => _stream = stream;

    /// <summary>Reads a file.</summary>
    /// <param name="path">The <c>.onnx</c> file.</param>
    /// <exception cref="InvalidDataException">It is no ONNX model, or cut off.</exception>
    public static ModelProto ReadFile(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 64 * 1024);
        return Read(file);
    }

    /// <summary>Reads a stream that can seek, from its beginning.</summary>
    /// <param name="stream">The model.</param>
    /// <exception cref="InvalidDataException">It is no ONNX model, or cut off.</exception>
    public static ModelProto Read(Stream stream)
    {
        stream.Position = 0;
        try
        {
            return new OnnxOutlineReader(stream).ReadModel(stream.Length);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"not an ONNX model: {e.Message}", e);
        }
    }

    private ModelProto ReadModel(long end)
    {
        GraphProto? graph = null;
        var rest = Fields(end, (field, fieldEnd) =>
        {
            if (field != ModelProto.GraphFieldNumber) return false;
            var part = ReadGraph(fieldEnd, 0);
            if (graph is null) graph = part;
            else graph.MergeFrom(part); // the format's rule for a field that comes twice
            return true;
        });
        var model = ModelProto.Parser.ParseFrom(rest);
        model.Graph = graph ?? throw new InvalidDataException("not an ONNX model: it has no graph");
        return model;
    }

    private GraphProto ReadGraph(long end, int depth)
    {
        if (depth > DeepestGraph) throw new InvalidDataException($"graphs within graphs, more than {DeepestGraph} deep");
        var nodes = new List<NodeProto>();
        var initializers = new List<TensorProto>();
        var rest = Fields(end, (field, fieldEnd) =>
        {
            switch (field)
            {
                case GraphProto.NodeFieldNumber:
                    nodes.Add(ReadNode(fieldEnd, depth));
                    return true;
                case GraphProto.InitializerFieldNumber:
                    initializers.Add(ReadTensor(fieldEnd));
                    return true;
                default:
                    return false;
            }
        });
        var graph = GraphProto.Parser.ParseFrom(rest);
        graph.Node.AddRange(nodes);
        graph.Initializer.AddRange(initializers);
        return graph;
    }

    private NodeProto ReadNode(long end, int depth)
    {
        var attributes = new List<AttributeProto>();
        var rest = Fields(end, (field, fieldEnd) =>
        {
            if (field != NodeProto.AttributeFieldNumber) return false;
            attributes.Add(ReadAttribute(fieldEnd, depth));
            return true;
        });
        var node = NodeProto.Parser.ParseFrom(rest);
        node.Attribute.AddRange(attributes);
        return node;
    }

    private AttributeProto ReadAttribute(long end, int depth)
    {
        var tensors = new List<TensorProto>();
        var graphs = new List<GraphProto>();
        TensorProto? tensor = null;
        GraphProto? graph = null;
        var rest = Fields(end, (field, fieldEnd) =>
        {
            switch (field)
            {
                case AttributeProto.TFieldNumber:
                    tensor = ReadTensor(fieldEnd);
                    return true;
                case AttributeProto.TensorsFieldNumber:
                    tensors.Add(ReadTensor(fieldEnd));
                    return true;
                case AttributeProto.GFieldNumber:
                    graph = ReadGraph(fieldEnd, depth + 1);
                    return true;
                case AttributeProto.GraphsFieldNumber:
                    graphs.Add(ReadGraph(fieldEnd, depth + 1));
                    return true;
                default:
                    return false;
            }
        });
        var attribute = AttributeProto.Parser.ParseFrom(rest);
        if (tensor is not null) attribute.T = tensor;
        if (graph is not null) attribute.G = graph;
        attribute.Tensors.AddRange(tensors);
        attribute.Graphs.AddRange(graphs);
        return attribute;
    }

    private TensorProto ReadTensor(long end) => TensorProto.Parser.ParseFrom(Fields(end, (field, fieldEnd) =>
        field is not (TensorProto.DimsFieldNumber or TensorProto.NameFieldNumber or TensorProto.ExternalDataFieldNumber) && fieldEnd - _stream.Position > LargestKeptField && Skip(fieldEnd)));

    private bool Skip(long end)
    {
        _stream.Position = end;
        return true;
    }

    /// <summary>
    /// Goes through a message's fields up to its end. A field with a length is offered first, with its end; whoever takes it
    /// reads or skips all of it. What nobody takes is returned as it was.
    /// </summary>
    private byte[] Fields(long end, Func<int, long, bool> take)
    {
        var rest = new MemoryStream();
        while (_stream.Position < end)
        {
            var tag = ReadVarint(end);
            var length = (tag & 7) switch
            {
                0 => -1,
                1 => 8,
                2 => (long)Math.Min(ReadVarint(end), long.MaxValue),
                5 => 4,
                var other => throw new InvalidDataException($"not an ONNX model: a field of wire type {other} at byte {_stream.Position}"),
            };
            if (length > end - _stream.Position) throw new InvalidDataException($"cut off or no ONNX model: a field of {length} bytes at byte {_stream.Position}, and {end - _stream.Position} are left");
            if ((tag & 7) == 2)
            {
                var fieldEnd = _stream.Position + length;
                if (take((int)(tag >> 3), fieldEnd))
                {
                    if (_stream.Position != fieldEnd) throw new InvalidDataException($"not an ONNX model: a message ends at byte {_stream.Position} instead of {fieldEnd}");
                    continue;
                }
            }

            WriteVarint(rest, tag);
            if (length < 0)
            {
                WriteVarint(rest, ReadVarint(end));
            }
            else
            {
                if ((tag & 7) == 2) WriteVarint(rest, (ulong)length);
                Copy(length, rest);
            }
        }

        return rest.ToArray();
    }

    private void Copy(long length, MemoryStream target)
    {
        _kept += length;
        if (_kept > LargestOutline) throw new InvalidDataException($"the graph without its weights has more than {LargestOutline} bytes");
        var start = (int)target.Length;
        target.SetLength(start + length);
        _stream.ReadExactly(target.GetBuffer().AsSpan(start, (int)length));
        target.Position = target.Length;
    }

    private ulong ReadVarint(long end)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = _stream.Position < end ? _stream.ReadByte() : -1;
            if (next < 0) throw new InvalidDataException("cut off or no ONNX model: a number ends with the message");
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }

        throw new InvalidDataException($"not an ONNX model: a number of more than 64 bits at byte {_stream.Position}");
    }

    private static void WriteVarint(MemoryStream target, ulong value)
    {
        for (; value >= 0x80; value >>= 7) target.WriteByte((byte)(value | 0x80));
        target.WriteByte((byte)value);
    }
}
