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

    /// <summary>Triton's "simple" models: OUTPUT0 = INPUT0 + INPUT1 and OUTPUT1 = INPUT0 − INPUT1, of [batch, 16]; of numbers.</summary>
    public static void AddSubtract(string file, DataType type) => Write(file, graph =>
    {
        var a = graph.Input("INPUT0", type, "batch", 16);
        var b = graph.Input("INPUT1", type, "batch", 16);
        if (type is DataType.Int32 or DataType.Int64 or DataType.Float or DataType.Double)
        {
            graph.Output(graph.Node("OUTPUT0", "Add", [a, b]), type, "batch", 16);
            graph.Output(graph.Node("OUTPUT1", "Sub", [a, b]), type, "batch", 16);
            return;
        }

        // ONNX Runtime has no sums of small integers; those of 32 bits wrap around alike.
        var (wideA, wideB) = (graph.Node("wide0", "Cast", [a], To(DataType.Int32)), graph.Node("wide1", "Cast", [b], To(DataType.Int32)));
        graph.Output(graph.Node("OUTPUT0", "Cast", [graph.Node("sum", "Add", [wideA, wideB])], To(type)), type, "batch", 16);
        graph.Output(graph.Node("OUTPUT1", "Cast", [graph.Node("difference", "Sub", [wideA, wideB])], To(type)), type, "batch", 16);
    });

    /// <summary>As <see cref="AddSubtract"/>, of decimal numbers as texts (Triton's "simple_string").</summary>
    public static void AddSubtractTexts(string file) => Write(file, graph =>
    {
        var a = graph.Node("number0", "Cast", [graph.Input("INPUT0", DataType.String, "batch", 16)], To(DataType.Int32));
        var b = graph.Node("number1", "Cast", [graph.Input("INPUT1", DataType.String, "batch", 16)], To(DataType.Int32));
        graph.Output(graph.Node("OUTPUT0", "Cast", [graph.Node("sum", "Add", [a, b])], To(DataType.String)), DataType.String, "batch", 16);
        graph.Output(graph.Node("OUTPUT1", "Cast", [graph.Node("difference", "Sub", [a, b])], To(DataType.String)), DataType.String, "batch", 16);
    });

    /// <summary>Every numeric type of ONNX Runtime's that the Open Inference Protocol has, and strings.</summary>
    public static IReadOnlyList<DataType> AllTypes { get; } =
    [
        DataType.Bool, DataType.Uint8, DataType.Uint16, DataType.Uint32, DataType.Uint64, DataType.Int8, DataType.Int16, DataType.Int32, DataType.Int64,
        DataType.Float16, DataType.Bfloat16, DataType.Float, DataType.Double, DataType.String,
    ];

    private static Serve.Core.Onnx.Format.AttributeProto To(DataType type) => OnnxAttribute.Int("to", (long)type);

    /// <summary>The rows 10, 20, 30, 40 of a table, by index of [batch, n]; any other index is an error.</summary>
    public static void Lookup(string file) => Write(file, graph =>
        graph.Output(graph.Node("y", "Gather", [graph.Constant("table", 10, 20, 30, 40), graph.Input("index", DataType.Int64, "batch", "n")]), DataType.Int64, "batch", "n"));

    /// <summary>The same, of [batch, 1].</summary>
    public static void LookupRows(string file) => Write(file, graph =>
        graph.Output(graph.Node("y", "Gather", [graph.Constant("table", 10, 20, 30, 40), graph.Input("index", DataType.Int64, "batch", 1)]), DataType.Int64, "batch", 1));

    /// <summary>Its input twice, one below the other: the first dimension, although dynamic, is not the batch. Names do not say so.</summary>
    public static void Doubled(string file) => Write(file, graph =>
    {
        var x = graph.Input("x", DataType.Float, "unk__1", 2);
        graph.Output(graph.Node("y", "Concat", [x, x], OnnxAttribute.Int("axis", 0)), DataType.Float, "unk__2", 2);
    });

    /// <summary>y[i, j] = a[i] + b[j], of [n, 1] and [m, 1]: two first dimensions that have nothing to do with each other.</summary>
    public static void AllPairs(string file) => Write(file, graph =>
    {
        var a = graph.Input("a", DataType.Int32, "n", 1);
        var b = graph.Node("turned", "Transpose", [graph.Input("b", DataType.Int32, "m", 1)], OnnxAttribute.Ints("perm", 1, 0));
        graph.Output(graph.Node("y", "Add", [a, b]), DataType.Int32, "n", "m");
    });

    /// <summary>y = a + b, of [1st, 2] and [2nd, 2].</summary>
    public static void SumOf(string file, string first, string second) => Write(file, graph =>
        graph.Output(graph.Node("y", "Add", [graph.Input("a", DataType.Float, first, 2), graph.Input("b", DataType.Float, second, 2)]), DataType.Float, first, 2));

    /// <summary>1 / x.</summary>
    public static void Reciprocal(string file) => Write(file, graph =>
        graph.Output(graph.Node("y", "Reciprocal", [graph.Input("x", DataType.Float, "batch", "n")]), DataType.Float, "batch", "n"));

    /// <summary>Any graph.</summary>
    public static void Write(string file, Action<OnnxGraphBuilder> build)
    {
        var graph = new OnnxGraphBuilder("small", "none.data");
        build(graph);
        var model = graph.Build(new OnnxModelHeader(17, 8, "Serve.Tests", ""));
        File.WriteAllBytes(file, model.Proto.ToByteArray());
    }
}
