using Serve.Core.Configuration;
using Serve.Core.Models.Creation;
using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;
using Serve.Core.Protocol;
using Serve.Worker.Execution.Doctor;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.Worker.Execution.Doctor;

public sealed class GraphDoctorTests
{
    private static readonly VisionTransformerConfiguration Vit = new() { Layers = 3, Width = 384, Heads = 6, MlpWidth = 1536, ImageSize = 32 };

    [Fact]
    public void A_transformer_in_plain_operators_is_told_apart_part_by_part()
    {
        var graph = new GraphIndex(Transformer(OperatorForm.Plain).Graph);

        Assert.Equal(new FusionCount(0, 3), FusionCounts.Attention(graph));
        Assert.Equal(new FusionCount(7, 0), FusionCounts.LayerNorm(graph)); // operator set 17 has one
        Assert.Equal(new FusionCount(0, 3), FusionCounts.Gelu(graph));
    }

    [Fact]
    public void A_fused_transformer_has_nothing_to_mend_on_a_gpu()
    {
        var model = Transformer(OperatorForm.Fused, WeightPrecision.Float16);

        var findings = GraphDoctor.Examine(new DoctorSubject(model, model, IsForGpu: true, RunsOnGpu: true, WantsCudaGraphs: true));

        Assert.All(findings, finding => Assert.Equal(FindingSeverity.Good, finding.Severity));
        Assert.Equal(["attention", "layerNorm", "gelu", "fallback", "precision", "batch"], findings.Select(finding => finding.Topic));
        Assert.Equal("attention: 3 fused, none spelled out", findings[0].Summary);
    }

    [Fact]
    public void A_half_fused_transformer_says_how_many_are_left()
    {
        var model = Transformer(OperatorForm.Plain);
        var fused = Transformer(OperatorForm.Fused).Graph.Node.First(node => node.OpType == "MultiHeadAttention");
        model.Graph.Node.Add(fused);

        var attention = Finding(model, "attention");

        Assert.Equal("attention: 3 of 4 spelled out in single operators, 1 fused", attention.Summary);
        Assert.Equal(FindingSeverity.Warning, attention.Severity);
        Assert.Contains("2 to 3 times", attention.Cost, StringComparison.Ordinal);
        Assert.Contains("serve models create ARCHITECTURE --attention fused", attention.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void On_the_cpu_unfused_attention_is_advice()
    {
        var model = Transformer(OperatorForm.Plain);

        Assert.Equal(FindingSeverity.Advice, Finding(model, "attention", gpu: false).Severity);
    }

    [Fact]
    public void A_softmax_at_the_end_of_a_classifier_is_no_attention()
    {
        var model = Model(graph =>
        {
            var x = graph.Input("x", DataType.Float, "batch", 8);
            var hidden = graph.Node("hidden", "MatMul", [x, graph.Weight("w", DataType.Float, 8, 8)]);
            var shares = graph.Node("shares", "Softmax", [hidden]);
            graph.Output(graph.Node("gated", "MatMul", [shares, graph.Weight("v", DataType.Float, 8, 4)]), DataType.Float, "batch", 4);
        });

        Assert.Equal(default, FusionCounts.Attention(new GraphIndex(model.Graph)));
        Assert.DoesNotContain(Examine(model), finding => finding.Topic is "attention" or "layerNorm" or "gelu");
    }

    [Fact]
    public void A_masked_attention_with_casts_is_found()
    {
        var model = Model(graph =>
        {
            var q = graph.Input("q", DataType.Float16, "batch", 4, "n", 8);
            var k = graph.Input("k", DataType.Float16, "batch", 4, 8, "n");
            var v = graph.Input("v", DataType.Float16, "batch", 4, "n", 8);
            var mask = graph.Input("mask", DataType.Float, "batch", 1, 1, "n");
            var scores = graph.Node("wide", "Cast", [graph.Node("scores", "MatMul", [q, k])], OnnxAttribute.Int("to", 1));
            var shares = graph.Node("shares", "Softmax", [graph.Node("masked", "Add", [graph.Node("scaled", "Div", [scores, graph.Constant("eight", DataType.Float, 8)]), mask])]);
            graph.Output(graph.Node("mixed", "MatMul", [graph.Node("narrow", "Cast", [shares], OnnxAttribute.Int("to", 10)), v]), DataType.Float16, "batch", 4, "n", 8);
        });

        Assert.Equal(new FusionCount(0, 1), FusionCounts.Attention(new GraphIndex(model.Graph)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_layer_norm_that_is_spelled_out_is_found(bool withCasts)
    {
        var model = Model(graph =>
        {
            var x = graph.Input("x", DataType.Float, "batch", "n", 8);
            var centred = graph.Node("centred", "Sub", [x, graph.Node("mean", "ReduceMean", [x])]);
            if (withCasts) centred = graph.Node("wide", "Cast", [centred], OnnxAttribute.Int("to", 1));
            var variance = graph.Node("variance", "ReduceMean", [graph.Node("squares", "Pow", [centred, graph.Constant("two", DataType.Float, 2)])]);
            var deviation = graph.Node("deviation", "Sqrt", [graph.Node("safe", "Add", [variance, graph.Constant("epsilon", DataType.Float, 1e-5f)])]);
            graph.Output(graph.Node("norm", "Div", [centred, deviation]), DataType.Float, "batch", "n", 8);
        });

        Assert.Equal(new FusionCount(0, 1), FusionCounts.LayerNorm(new GraphIndex(model.Graph)));
        Assert.Contains("opset 17", Finding(model, "layerNorm").Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void The_gelu_of_a_hyperbolic_tangent_is_found_and_a_plain_tangent_is_not()
    {
        var model = Model(graph =>
        {
            var x = graph.Input("x", DataType.Float, "batch", 8);
            var cube = graph.Node("cube", "Pow", [x, graph.Constant("three", DataType.Float, 3)]);
            var inner = graph.Node("inner", "Add", [x, graph.Node("small", "Mul", [cube, graph.Constant("c", DataType.Float, 0.044715f)])]);
            var tanh = graph.Node("tanh", "Tanh", [graph.Node("root", "Mul", [inner, graph.Constant("r", DataType.Float, 0.797885f)])]);
            var gated = graph.Node("gated", "Mul", [x, graph.Node("raised", "Add", [tanh, graph.Constant("one", DataType.Float, 1)])]);
            graph.Output(graph.Node("last", "Tanh", [gated]), DataType.Float, "batch", 8);
        });

        Assert.Equal(new FusionCount(0, 1), FusionCounts.Gelu(new GraphIndex(model.Graph)));
    }

    [Fact]
    public void What_lies_between_copies_from_and_to_the_gpu_falls_back()
    {
        var model = Model(graph =>
        {
            var x = graph.Input("x", DataType.Float, "batch", 8);
            var down = graph.Node("down", "MemcpyToHost", [graph.Node("double", "Mul", [x, graph.Constant("two", DataType.Float, 2)])]);
            var odd = graph.Node("odd", "NonMaxSuppression", [down]);
            graph.Output(graph.Node("up", "MemcpyFromHost", [odd]), DataType.Float, "batch", 8);
        });

        var fallback = Finding(model, "fallback");

        Assert.Equal(FindingSeverity.Warning, fallback.Severity);
        Assert.Contains("1 copies from the GPU and 1 to it: NonMaxSuppression (2)", fallback.Summary, StringComparison.Ordinal);
        Assert.DoesNotContain(Examine(model, gpu: false), finding => finding.Topic == "fallback");
    }

    [Theory]
    [InlineData(WeightPrecision.Float32, true, FindingSeverity.Warning, "--dtype float16")]
    [InlineData(WeightPrecision.Float16, true, FindingSeverity.Good, null)]
    [InlineData(WeightPrecision.Float32, false, FindingSeverity.Good, null)]
    [InlineData(WeightPrecision.Float16, false, FindingSeverity.Warning, "--dtype float32")]
    public void Each_device_has_its_precision(WeightPrecision precision, bool gpu, FindingSeverity severity, string? remedy)
    {
        var finding = Finding(Transformer(OperatorForm.Fused, precision), "precision", gpu);

        Assert.Equal(severity, finding.Severity);
        if (remedy is null) Assert.Null(finding.Remedy);
        else Assert.Contains(remedy, finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_that_TensorRT_narrows_are_well_as_they_are()
    {
        var model = Transformer(OperatorForm.Fused);

        Assert.Equal(FindingSeverity.Good, Precision(new ExecutionConfiguration { Providers = ["tensorrt", "cuda"], Fp16 = true }).Severity);
        Assert.Equal(FindingSeverity.Warning, Precision(new ExecutionConfiguration { Providers = ["cuda"], Fp16 = true }).Severity);
        Assert.Equal(FindingSeverity.Warning, Precision(new ExecutionConfiguration { Providers = ["tensorrt"] }).Severity);

        DoctorFinding Precision(ExecutionConfiguration execution) => GraphDoctor.Examine(DoctorSubject.Of(model, model, isForGpu: true, runsOnGpu: true, execution)).Single(finding => finding.Topic == "precision");
    }

    [Fact]
    public void Where_one_tensor_has_no_batch_nothing_is_batched()
    {
        var state = Model(graph => graph.Output(graph.Node("y", "Add", [graph.Input("x", DataType.Float, "batch", 2), graph.Input("state", DataType.Float, 2, "batch"), graph.Input("rate", DataType.Float)]), DataType.Float, "batch", 2));
        Assert.Equal((FindingSeverity.Warning, "nothing is batched, because the first dimension is not dynamic everywhere: state [2, batch], rate []"), (Finding(state, "batch").Severity, Finding(state, "batch").Summary));

        var sum = Model(graph => graph.Output(graph.Node("y", "ReduceSum", [graph.Input("x", DataType.Float, "batch", 2)]), DataType.Float, 1, 2));
        Assert.Equal("nothing is batched, because the first dimension is not dynamic everywhere: y [1, 2]", Finding(sum, "batch").Summary);
    }

    [Fact]
    public void A_fixed_batch_is_shown_with_its_input()
    {
        var model = Model(graph => graph.Output(graph.Node("y", "Relu", [graph.Input("picture", DataType.Float, 1, 3, 8, 8)]), DataType.Float, 1, 3, 8, 8));

        var batch = Finding(model, "batch", gpu: false);

        Assert.Equal((FindingSeverity.Warning, "the batch is fixed at 1: picture [1, 3, 8, 8]"), (batch.Severity, batch.Summary));
        Assert.Contains("dynamic_shapes", batch.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Shapes_that_rule_out_cuda_graphs_matter_most_to_who_wants_them()
    {
        var model = Model(graph => graph.Output(graph.Node("y", "Relu", [graph.Input("ids", DataType.Float, "batch", "length")]), DataType.Float, "batch", "length"));

        Assert.Equal(FindingSeverity.Advice, Finding(model, "shapes").Severity);
        Assert.Contains("ids [batch, length]", Finding(model, "shapes").Summary, StringComparison.Ordinal);
        Assert.Equal(FindingSeverity.Warning, GraphDoctor.Examine(new DoctorSubject(model, model, true, true, true)).Single(finding => finding.Topic == "shapes").Severity);
    }

    [Fact]
    public void Control_flow_rules_out_cuda_graphs_too()
    {
        var model = Model(graph => graph.Output(graph.Node("y", "Relu", [graph.Input("x", DataType.Float, "batch", 2)]), DataType.Float, "batch", 2));
        model.Graph.Node.Add(new NodeProto { OpType = "Loop" });

        Assert.Equal("control flow in the graph: Loop", Finding(model, "shapes").Summary);
    }

    [Fact]
    public void Old_operators_and_chains_of_transposes_are_advice()
    {
        var model = Model(
            graph =>
            {
                var x = graph.Input("x", DataType.Float, "batch", 2, 2);
                for (var i = 0; i < 6; i++) x = graph.Node($"t{i}", "Transpose", [x], OnnxAttribute.Ints("perm", 0, 2, 1));
                graph.Output(x, DataType.Float, "batch", 2, 2);
            },
            operatorSet: 9);

        Assert.Equal("operator set 9 is old", Finding(model, "operatorSet").Summary);
        Assert.Equal("6 of 6 nodes are Transpose, 5 of them directly before another", Finding(model, "transposes").Summary);
        Assert.All(Examine(model).Where(finding => finding.Severity != FindingSeverity.Good), finding => Assert.NotNull(finding.Remedy));
    }

    [Fact]
    public void Without_the_optimized_graph_nothing_is_said_of_fusion()
    {
        var findings = GraphDoctor.Examine(new DoctorSubject(Transformer(OperatorForm.Plain), null, true, true, false));

        Assert.Equal(["precision", "batch"], findings.Select(finding => finding.Topic));
    }

    private static ModelProto Transformer(OperatorForm form, WeightPrecision precision = WeightPrecision.Float32) =>
        VisionTransformerGraph.Build("vit", Vit, precision, "weights", form).Proto;

    private static ModelProto Model(Action<OnnxGraphBuilder> build, long operatorSet = 17)
    {
        var graph = new OnnxGraphBuilder("small", "none");
        build(graph);
        return graph.Build(new OnnxModelHeader(operatorSet, 8, "somebody", "")).Proto;
    }

    private static DoctorFinding Finding(ModelProto model, string topic, bool gpu = true) => Assert.Single(Examine(model, gpu), finding => finding.Topic == topic);

    private static IReadOnlyList<DoctorFinding> Examine(ModelProto model, bool gpu = true) => GraphDoctor.Examine(new DoctorSubject(model, model, gpu, gpu, WantsCudaGraphs: false));
}
