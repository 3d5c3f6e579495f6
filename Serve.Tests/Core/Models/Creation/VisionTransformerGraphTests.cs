using Microsoft.ML.OnnxRuntime;
using Serve.Core.Models.Creation;
using Serve.Core.Onnx;

namespace Serve.Tests.Core.Models.Creation;

public sealed class VisionTransformerGraphTests : IDisposable
{
    private readonly ReferenceNetwork _reference = new();
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_weight_table_is_torchvisions_state_dict()
    {
        var ours = VisionTransformerWeights.Of(_reference.Configuration).ToDictionary(weight => weight.Name, weight => weight.Shape.ToArray());

        Assert.Equal(_reference.Shapes.Keys, ours.Keys);
        Assert.All(_reference.Shapes, pair => Assert.Equal(pair.Value, ours[pair.Key]));
    }

    [Theory]
    [InlineData(GraphOptimizationLevel.ORT_DISABLE_ALL)]
    [InlineData(GraphOptimizationLevel.ORT_ENABLE_ALL)]
    public void The_logits_are_torchvisions(GraphOptimizationLevel level)
    {
        using var session = Open(WeightPrecision.Float32, level);

        var logits = session.Logits(_reference.Inputs, 5, 48);

        Assert.Equal(_reference.Logits.Length, logits.Length);
        Assert.InRange(LargestDifference(_reference.Logits, logits), 0, 1e-4);
    }

    [Theory]
    [InlineData(GraphOptimizationLevel.ORT_DISABLE_ALL)]
    [InlineData(GraphOptimizationLevel.ORT_ENABLE_ALL)]
    public void Fused_operators_give_torchvisions_logits_too(GraphOptimizationLevel level)
    {
        using var session = Open(WeightPrecision.Float32, level, OperatorForm.Fused);

        Assert.InRange(LargestDifference(_reference.Logits, session.Logits(_reference.Inputs, 5, 48)), 0, 1e-4);
    }

    [Fact]
    public void Fused_operators_in_half_precision_are_near()
    {
        using var session = Open(WeightPrecision.Float16, form: OperatorForm.Fused);

        Assert.InRange(LargestDifference(_reference.Logits, session.Logits(_reference.Inputs, 5, 48)), 1e-7, 2e-2);
    }

    [Fact]
    public void Fused_operators_take_the_place_of_all_that_they_stand_for()
    {
        var model = VisionTransformerGraph.Build("reference", _reference.Configuration, WeightPrecision.Float16, "data", OperatorForm.Fused);
        var operators = model.Proto.Graph.Node.CountBy(node => node.OpType).ToDictionary();

        var layers = _reference.Configuration.Layers;
        Assert.Equal(layers, operators["MultiHeadAttention"]);
        Assert.Equal(layers, operators["Gelu"]);
        Assert.Equal(2 * layers - 1, operators["SkipLayerNormalization"]);
        Assert.Equal(2, operators["LayerNormalization"]); // the first, and the class token's
        Assert.DoesNotContain("Softmax", operators);
        Assert.DoesNotContain("Erf", operators);
        Assert.Equal(["", "com.microsoft"], model.Proto.OpsetImport.Select(set => set.Domain));
    }

    [Fact]
    public void A_batch_gives_every_picture_what_it_gets_alone()
    {
        using var session = Open(WeightPrecision.Float32);
        var pixels = _reference.Inputs.Length / 5;

        var together = session.Logits(_reference.Inputs, 5, 48);
        var alone = Enumerable.Range(0, 5)
            .SelectMany(i => session.Logits(_reference.Inputs[(i * pixels)..((i + 1) * pixels)], 1, 48))
            .ToArray();

        Assert.InRange(LargestDifference(alone, together), 0, 1e-5);
    }

    [Fact]
    public void Half_precision_is_near_and_keeps_32_bits_at_the_border()
    {
        using var session = Open(WeightPrecision.Float16);

        Assert.Equal(typeof(float), session.Inputs["pixel_values"].ElementType);
        Assert.Equal(typeof(float), session.Outputs["logits"].ElementType);
        var difference = LargestDifference(_reference.Logits, session.Logits(_reference.Inputs, 5, 48));
        Assert.InRange(difference, 1e-7, 2e-2); // not zero: it did compute in 16 bits
    }

    [Fact]
    public void Input_and_output_say_their_shapes_with_a_dynamic_batch()
    {
        using var session = Open(WeightPrecision.Float32);

        Assert.Equal([-1, 3, 48, 48], session.Inputs["pixel_values"].Dimensions);
        Assert.Equal(["batch", "", "", ""], session.Inputs["pixel_values"].SymbolicDimensions);
        Assert.Equal([-1, 7], session.Outputs["logits"].Dimensions);
        Assert.Equal(["batch", ""], session.Outputs["logits"].SymbolicDimensions);
    }

    [Theory]
    [InlineData("vit_ti_16", 5_717_416)]
    [InlineData("vit_s_16", 22_050_664)]
    [InlineData("vit_b_16", 86_567_656)]
    [InlineData("vit_l_16", 304_326_632)]
    public void Every_architecture_has_its_published_number_of_parameters(string name, long parameters)
    {
        var architecture = Assert.Single(VisionTransformerArchitecture.All, vit => vit.Name == name);

        Assert.Equal(parameters, VisionTransformerWeights.Of(architecture.Sizes).Sum(weight => weight.ElementCount));
        Assert.Equal(parameters, VisionTransformerGraph.Build(name, architecture.Sizes, WeightPrecision.Float32, "data").Weights.Sum(weight => weight.ElementCount));
    }

    [Theory]
    [InlineData(0, 32, 4, "at least 1")]
    [InlineData(2, 30, 4, "30 cannot be shared evenly by 4 heads")]
    public void Sizes_that_no_transformer_has_are_refused(int layers, int width, int heads, string message)
    {
        var vit = new VisionTransformerConfiguration { Layers = layers, Width = width, Heads = heads, MlpWidth = 8 };

        Assert.Contains(message, Assert.Throws<ArgumentException>(vit.Validate).Message, StringComparison.Ordinal);
    }

    private VisionTransformerSession Open(WeightPrecision precision, GraphOptimizationLevel level = GraphOptimizationLevel.ORT_ENABLE_ALL, OperatorForm form = OperatorForm.Plain)
    {
        var model = VisionTransformerGraph.Build("reference", _reference.Configuration, precision, "model.onnx.data", form);
        OnnxModelWriter.Write(model, _reference, _folder.Path, "model.onnx", written: null, TestContext.Current.CancellationToken);
        return new(_folder["model.onnx"], level);
    }

    private static double LargestDifference(float[] expected, float[] actual) =>
        expected.Zip(actual, (e, a) => Math.Abs((double)e - a)).Max();
}
