using Serve.Core.Onnx.Format;

namespace Serve.Worker.Execution.Doctor;

/// <summary>How often a transformer's parts are one operator in a graph, and how often they are spelled out in several.</summary>
/// <param name="Fused">One operator each.</param>
/// <param name="Unfused">Several operators each.</param>
internal readonly record struct FusionCount(int Fused, int Unfused)
{
    public int Total => Fused + Unfused;
}

/// <summary>Recognises attention, layer norm and GELU, fused or not. Pure.</summary>
internal static class FusionCounts
{
    private static readonly HashSet<string> AttentionOperators = new(StringComparer.Ordinal)
    {
        "Attention", "MultiHeadAttention", "GroupQueryAttention", "PackedAttention", "PackedMultiHeadAttention", "QAttention", "SparseAttention",
        "DecoderMaskedMultiHeadAttention", "DecoderMaskedSelfAttention", "DecoderAttention", "PagedAttention", "LongformerAttention", "QOrderedAttention",
    };

    private static readonly HashSet<string> LayerNormOperators = new(StringComparer.Ordinal)
    {
        "LayerNormalization", "SkipLayerNormalization", "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "EmbedLayerNormalization", "RMSNormalization", "QOrderedLayerNormalization",
    };

    private static readonly HashSet<string> GeluOperators = new(StringComparer.Ordinal) { "Gelu", "BiasGelu", "FastGelu", "QuickGelu", "BiasSplitGelu", "QOrderedGelu" };

    private static readonly HashSet<string> PassOn = new(StringComparer.Ordinal)
    {
        "Add", "Sub", "Mul", "Div", "Where", "Cast", "Identity", "Dropout", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand", "Sqrt",
    };

    /// <summary>Attention: fused, or a softmax between two products of matrices.</summary>
    public static FusionCount Attention(GraphIndex graph) => new(
        graph.Graph.Node.Count(node => AttentionOperators.Contains(node.OpType)),
        graph.Graph.Node.Count(node => node.OpType is "Softmax" or "BiasSoftmax"
            && graph.FindUp(node, IsProduct, Passes) is not null
            && graph.FindDown(node, IsProductOfTwo(graph), Passes) is not null));

    /// <summary>Layer norm, RMS norm too: fused, or a square root of a mean of squares that divides.</summary>
    public static FusionCount LayerNorm(GraphIndex graph) => new(
        graph.Graph.Node.Count(node => LayerNormOperators.Contains(node.OpType)),
        graph.Graph.Node.Count(node => node.OpType == "Sqrt"
            && graph.Producer(node, 0) is { OpType: "Add" } sum
            && graph.Producers(sum).FirstOrDefault(producer => producer.OpType == "ReduceMean") is { } variance
            && graph.FindUp(variance, producer => producer.OpType is "Pow" or "Mul", producer => producer.OpType == "Cast", 2) is not null
            && graph.FindDown(node, consumer => consumer.OpType is "Div" or "Reciprocal", consumer => consumer.OpType == "Cast", 2) is not null));

    /// <summary>GELU: fused, or an error function (or the hyperbolic tangent of a cube) that gates.</summary>
    public static FusionCount Gelu(GraphIndex graph) => new(
        graph.Graph.Node.Count(node => GeluOperators.Contains(node.OpType)),
        graph.Graph.Node.Count(node => node.OpType == "Erf" ? Gates(graph, node) : node.OpType == "Tanh" && OfACube(graph, node) && Gates(graph, node)));

    private static bool Passes(NodeProto node) => PassOn.Contains(node.OpType);

    private static bool IsProduct(NodeProto node) => node.OpType is "MatMul" or "FusedMatMul" or "TransposeMatMul" or "Einsum";

    // Attention's second product is of two computed things; a classifier after a softmax would have a weight there.
    private static Func<NodeProto, bool> IsProductOfTwo(GraphIndex graph) => node => IsProduct(node) && !graph.IsConstant(node, 0) && !graph.IsConstant(node, 1);

    private static bool Gates(GraphIndex graph, NodeProto node) =>
        graph.Consumers(node).Any(sum => sum.OpType == "Add" && graph.Consumers(sum).Any(product => product.OpType == "Mul"));

    private static bool OfACube(GraphIndex graph, NodeProto node) =>
        graph.FindUp(node, producer => producer.OpType == "Pow", producer => producer.OpType is "Mul" or "Add" or "Cast", 5) is not null
        || graph.FindUp(node, producer => producer.OpType == "Mul" && producer.Input.Count == 2 && producer.Input[0] == producer.Input[1], producer => producer.OpType is "Mul" or "Add" or "Cast", 5) is not null;
}
