using Serve.Core.Onnx.Format;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Core.Onnx;

/// <summary>Questions about the tensors of a model, whether their values are there or not.</summary>
internal static class OnnxTensors
{
    /// <summary>Every constant: initializers and values of nodes, in subgraphs too.</summary>
    public static IEnumerable<TensorProto> Of(ModelProto model) => Of(model.Graph);

    /// <summary>The file beside the model that a tensor's values are in; null: they are in the model.</summary>
    public static string? ExternalLocation(TensorProto tensor) => tensor.DataLocation is TensorProto.Types.DataLocation.External
        ? tensor.ExternalData.FirstOrDefault(entry => entry.Key == "location")?.Value
        : null;

    /// <summary>How many values it has; at most <see cref="long.MaxValue"/>, whatever a damaged file says.</summary>
    public static long ElementCount(TensorProto tensor)
    {
        long count = 1;
        foreach (var size in tensor.Dims) count = size <= 0 ? 0 : count > long.MaxValue / size ? long.MaxValue : count * size;
        return count;
    }

    /// <summary>Bytes of one value; 1 for what is packed closer, 0 for text.</summary>
    public static int ElementBytes(int dataType) => (DataType)dataType switch
    {
        DataType.Double or DataType.Int64 or DataType.Uint64 or DataType.Complex64 => 8,
        DataType.Complex128 => 16,
        DataType.Float or DataType.Int32 or DataType.Uint32 => 4,
        DataType.Float16 or DataType.Bfloat16 or DataType.Int16 or DataType.Uint16 => 2,
        DataType.String or DataType.Undefined => 0,
        _ => 1,
    };

    private static IEnumerable<TensorProto> Of(GraphProto graph)
    {
        foreach (var tensor in graph.Initializer) yield return tensor;
        foreach (var attribute in graph.Node.SelectMany(node => node.Attribute))
        {
            if (attribute.T is { } tensor) yield return tensor;
            foreach (var other in attribute.Tensors) yield return other;
            foreach (var inner in attribute.Graphs.Append(attribute.G))
            {
                if (inner is null) continue;
                foreach (var constant in Of(inner)) yield return constant;
            }
        }
    }
}
