namespace Serve.Core.Models.Creation;

/// <summary>
/// One weight of a Vision Transformer: torchvision's name and shape for it, and how its random values are spread.
/// </summary>
internal sealed record VisionTransformerWeight(string Name, IReadOnlyList<long> Shape, WeightDistribution Distribution)
{
    public long ElementCount => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>Mean and standard deviation of a weight's random values.</summary>
internal readonly record struct WeightDistribution(double Mean, double StandardDeviation);

/// <summary>The table of a Vision Transformer's weights, in the order of torchvision's state dict.</summary>
/// <remarks>
/// The spreads follow the usual ones (Xavier for linear layers, 1/fan-in for the patches, 0.02 for positions), with two
/// departures from training's starting point, since these weights are to be run and not trained: biases and the class
/// token are small numbers and not zero, so that nothing is dead weight that an optimizer may drop; and the head, which
/// torchvision starts at zero, is spread so that logits have a standard deviation of about one.
/// </remarks>
internal static class VisionTransformerWeights
{
    private const double Small = 0.02;

    public static IEnumerable<VisionTransformerWeight> Of(VisionTransformerConfiguration vit)
    {
        long width = vit.Width, mlp = vit.MlpWidth, patch = vit.PatchSize;

        yield return new("class_token", [1, 1, width], new(0, Small));
        yield return new("conv_proj.weight", [width, 3, patch, patch], new(0, Math.Sqrt(1.0 / (3 * patch * patch))));
        yield return Bias("conv_proj.bias", width);
        yield return new("encoder.pos_embedding", [1, vit.Tokens, width], new(0, Small));

        for (var layer = 0; layer < vit.Layers; layer++)
        {
            var prefix = LayerPrefix(layer);
            yield return LayerNormWeight($"{prefix}.ln_1.weight", width);
            yield return Bias($"{prefix}.ln_1.bias", width);
            yield return Linear($"{prefix}.self_attention.in_proj_weight", 3 * width, width);
            yield return Bias($"{prefix}.self_attention.in_proj_bias", 3 * width);
            yield return Linear($"{prefix}.self_attention.out_proj.weight", width, width);
            yield return Bias($"{prefix}.self_attention.out_proj.bias", width);
            yield return LayerNormWeight($"{prefix}.ln_2.weight", width);
            yield return Bias($"{prefix}.ln_2.bias", width);
            yield return Linear($"{prefix}.mlp.0.weight", mlp, width);
            yield return Bias($"{prefix}.mlp.0.bias", mlp);
            yield return Linear($"{prefix}.mlp.3.weight", width, mlp);
            yield return Bias($"{prefix}.mlp.3.bias", width);
        }

        yield return LayerNormWeight("encoder.ln.weight", width);
        yield return Bias("encoder.ln.bias", width);
        yield return new("heads.head.weight", [vit.Classes, width], new(0, Math.Sqrt(1.0 / width)));
        yield return Bias("heads.head.bias", vit.Classes);
    }

    public static string LayerPrefix(int layer) => $"encoder.layers.encoder_layer_{layer}";

    private static VisionTransformerWeight Linear(string name, long outputs, long inputs) =>
        new(name, [outputs, inputs], new(0, Math.Sqrt(2.0 / (inputs + outputs))));

    private static VisionTransformerWeight LayerNormWeight(string name, long width) => new(name, [width], new(1, Small));

    private static VisionTransformerWeight Bias(string name, long width) => new(name, [width], new(0, Small));
}
