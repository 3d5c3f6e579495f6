using Google.Protobuf;
using Serve.Core.Onnx;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker;

/// <summary>Models of a node or two, each for one question.</summary>
internal static class SmallModels
{
    /// <summary>Its input, unchanged.</summary>
    public static void Identity(string file, DataType type, params OnnxDimension[] shape) => Write(file, graph =>
        graph.Output(graph.Node("y", "Identity", [graph.Input("x", type, shape)]), type, shape));

    /// <summary>sum = a + b and difference = a − b, of [batch, 2].</summary>
    public static void SumAndDifference(string file) => Write(file, graph =>
    {
        var a = graph.Input("a", DataType.Float, "batch", 2);
        var b = graph.Input("b", DataType.Float, "batch", 2);
        graph.Output(graph.Node("sum", "Add", [a, b]), DataType.Float, "batch", 2);
        graph.Output(graph.Node("difference", "Sub", [a, b]), DataType.Float, "batch", 2);
    });

    /// <summary>The rows 10, 20, 30, 40 of a table, by index of [batch, n]; any other index is an error.</summary>
    public static void Lookup(string file) => Write(file, graph =>
        graph.Output(graph.Node("y", "Gather", [graph.Constant("table", 10, 20, 30, 40), graph.Input("index", DataType.Int64, "batch", "n")]), DataType.Int64, "batch", "n"));

    /// <summary>The same, of [batch, 1].</summary>
    public static void LookupRows(string file) => Write(file, graph =>
        graph.Output(graph.Node("y", "Gather", [graph.Constant("table", 10, 20, 30, 40), graph.Input("index", DataType.Int64, "batch", 1)]), DataType.Int64, "batch", 1));

    /// <summary>Its input twice, one below the other: the first dimension, although dynamic, is not the batch.</summary>
    public static void Doubled(string file) => Write(file, graph =>
    {
        var x = graph.Input("x", DataType.Float, "n", 2);
        graph.Output(graph.Node("y", "Concat", [x, x], OnnxAttribute.Int("axis", 0)), DataType.Float, "m", 2);
    });

    /// <summary>1 / x.</summary>
    public static void Reciprocal(string file) => Write(file, graph =>
        graph.Output(graph.Node("y", "Reciprocal", [graph.Input("x", DataType.Float, "batch", "n")]), DataType.Float, "batch", "n"));

    private static void Write(string file, Action<OnnxGraphBuilder> build)
    {
        var graph = new OnnxGraphBuilder("small", "none.data");
        build(graph);
        var model = graph.Build(new OnnxModelHeader(17, 8, "Serve.Tests", ""));
        File.WriteAllBytes(file, model.Proto.ToByteArray());
    }
}
