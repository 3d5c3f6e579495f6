using Serve.Core.Onnx;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Core.Models.Creation;

/// <summary>
/// A Vision Transformer as torchvision computes it, as an ONNX graph: <c>pixel_values</c> [batch, 3, height, width] to
/// <c>logits</c> [batch, classes], both float32, the batch dynamic.
/// </summary>
/// <remarks>
/// <para>
/// Operator set 17: layer norm is one operator, and every runtime reads it. GELU is spelled out with Erf, the pattern
/// that ONNX Runtime and TensorRT recognise and fuse.
/// </para>
/// <para>
/// Between the patches and the head, tokens of all pictures are the rows of one matrix [batch × tokens, width]: linear
/// layers are plain Gemm with the bias inside and the weights as PyTorch lays them out, and only attention knows which
/// rows belong to one picture. The batch size is never computed in the graph (no Shape operator): the class token
/// enters by padding a zero row before the patches and adding it with the positions.
/// </para>
/// <para>
/// <see cref="OperatorForm.Fused"/> writes ONNX Runtime's own operators where it has one for several of ONNX's: attention as a
/// whole, the sum that a layer norm follows, GELU. Its CUDA provider has kernels for them (flash attention among them) that its
/// own fusion does not reach from here, because it looks for tokens in three dimensions.
/// </para>
/// </remarks>
internal sealed class VisionTransformerGraph
{
    public const string InputName = "pixel_values";
    public const string OutputName = "logits";
    public const string BatchDimension = "batch";

    private readonly VisionTransformerConfiguration _vit;
    private readonly DataType _type;
    private readonly OperatorForm _form;
    private readonly OnnxGraphBuilder _graph;
    private readonly Dictionary<string, OnnxValue> _weights;

    private VisionTransformerGraph(string name, VisionTransformerConfiguration vit, WeightPrecision precision, OperatorForm form, string dataFileName)
    {
        _vit = vit;
        _form = form;
        _type = precision is WeightPrecision.Float16 ? DataType.Float16 : DataType.Float;
        _graph = new(name, dataFileName);

        // All of them first, in the table's order: the data file does not depend on how the graph computes.
        _weights = VisionTransformerWeights.Of(vit).ToDictionary(
            weight => weight.Name, weight => _graph.Weight(weight.Name, TypeOf(weight.Name), weight.Shape), StringComparer.Ordinal);
    }

    public static OnnxModel Build(
        string name, VisionTransformerConfiguration vit, WeightPrecision precision, string dataFileName, OperatorForm form = OperatorForm.Plain)
    {
        vit.Validate();
        return new VisionTransformerGraph(name, vit, precision, form, dataFileName).Build(name);
    }

    private OnnxModel Build(string name)
    {
        var pixels = _graph.Input(InputName, DataType.Float, BatchDimension, 3, _vit.ImageSize, _vit.ImageSize);
        var tokens = Embed(_type is DataType.Float ? pixels : Cast("pixel_values_cast", pixels, _type));
        OnnxValue perceived = default;
        for (var layer = 0; layer < _vit.Layers; layer++)
        {
            (tokens, perceived) = EncoderLayer(VisionTransformerWeights.LayerPrefix(layer), tokens, perceived);
        }

        tokens = Add("encoder.output", tokens, perceived);
        var logits = Classify(tokens);
        _graph.Output(logits, DataType.Float, BatchDimension, _vit.Classes);
        return _graph.Build(new(
            OperatorSet: 17,
            IrVersion: 8,
            Producer: "serve",
            Description: $"{name}: Vision Transformer, {_vit.Layers} layers, width {_vit.Width}, {_vit.Heads} heads, patches of {_vit.PatchSize}, {_vit.ImageSize}x{_vit.ImageSize}, {_type}."));
    }

    /// <summary>Patches, class token, positions: [batch × tokens, width].</summary>
    private OnnxValue Embed(OnnxValue pixels)
    {
        long patch = _vit.PatchSize;
        var convolved = _graph.Node(
            "conv_proj",
            "Conv",
            [pixels, _weights["conv_proj.weight"], _weights["conv_proj.bias"]],
            OnnxAttribute.Ints("kernel_shape", patch, patch),
            OnnxAttribute.Ints("strides", patch, patch));
        var flat = Reshape("conv_proj.flat", convolved, -1, _vit.Width, _vit.Patches);
        var patches = Transpose("conv_proj.tokens", flat, 0, 2, 1);

        var withRoom = _graph.Node(
            "encoder.patches", "Pad", [patches, _graph.Constant("encoder.patches.pads", 0, 1, 0, 0, 0, 0)]);
        return Reshape("encoder.tokens", Add("encoder.embedded", withRoom, Offsets()), -1, _vit.Width);
    }

    /// <summary>
    /// Class token and positions as one constant [1, tokens, width], which runtimes compute once, when they load the
    /// model. Always in 32 bits before the cast: ONNX Runtime folds constants on the CPU, which cannot pad 16 bits.
    /// </summary>
    private OnnxValue Offsets()
    {
        var classToken = _graph.Node("encoder.class_token", "Pad", [
            _weights["class_token"],
            _graph.Constant("encoder.class_token.pads", 0, 0, 0, 0, _vit.Patches, 0),
        ]);
        var offsets = Add("encoder.offsets", classToken, _weights["encoder.pos_embedding"]);
        return _type is DataType.Float ? offsets : Cast("encoder.offsets_cast", offsets, _type);
    }

    /// <summary>
    /// One layer. Between layers tokens are a sum whose last term, what the perceptron before put out, is not added yet: the
    /// next layer norm may do both at once.
    /// </summary>
    private (OnnxValue Tokens, OnnxValue Perceived) EncoderLayer(string prefix, OnnxValue tokens, OnnxValue perceived)
    {
        OnnxValue normalized;
        if (perceived == default) normalized = LayerNorm($"{prefix}.ln_1", tokens);
        else (tokens, normalized) = AddAndLayerNorm($"{prefix}.input", $"{prefix}.ln_1", tokens, perceived);

        var attended = Attention($"{prefix}.self_attention", normalized);
        (tokens, normalized) = AddAndLayerNorm($"{prefix}.attended", $"{prefix}.ln_2", tokens, attended);
        return (tokens, Perceptron($"{prefix}.mlp", normalized));
    }

    /// <summary>
    /// Multi-head self-attention over the tokens of each picture. <paramref name="tokens"/> and the result are
    /// [batch × tokens, width]. The only place that knows how attention is computed.
    /// </summary>
    private OnnxValue Attention(string prefix, OnnxValue tokens)
    {
        var stacked = Linear($"{prefix}.in_proj", $"{prefix}.in_proj_weight", $"{prefix}.in_proj_bias", tokens);
        var parts = _graph.Node(
            $"{prefix}.split",
            "Split",
            [$"{prefix}.query", $"{prefix}.key", $"{prefix}.value"],
            [stacked, _graph.Constant($"{prefix}.split.sizes", _vit.Width, _vit.Width, _vit.Width)],
            OnnxAttribute.Int("axis", 1));
        var joined = _form is OperatorForm.Fused ? FusedHeads(prefix, parts) : PlainHeads(prefix, parts);
        return Linear($"{prefix}.out_proj", $"{prefix}.out_proj.weight", $"{prefix}.out_proj.bias", joined);
    }

    /// <summary>Attention as one operator, which scales the scores by 1/√(head width) itself.</summary>
    private OnnxValue FusedHeads(string prefix, OnnxValue[] parts)
    {
        OnnxValue[] pictures = [.. parts.Select(part => Reshape($"{part.Name}.pictures", part, -1, _vit.Tokens, _vit.Width))];
        var mixed = _graph.RuntimeNode($"{prefix}.mixed", "MultiHeadAttention", [$"{prefix}.mixed"], pictures, OnnxAttribute.Int("num_heads", _vit.Heads));
        return Reshape($"{prefix}.joined", mixed[0], -1, _vit.Width);
    }

    private OnnxValue PlainHeads(string prefix, OnnxValue[] parts)
    {
        var query = Heads($"{prefix}.query", parts[0]);
        var key = Heads($"{prefix}.key", parts[1]);
        var value = Heads($"{prefix}.value", parts[2]);

        // The queries are scaled and not the scores: fewer numbers, and scores stay within float16's range.
        var scale = _graph.Constant($"{prefix}.scale", _type, (float)(1 / Math.Sqrt(_vit.HeadWidth)));
        var scaled = _graph.Node($"{prefix}.query.scaled", "Mul", [query, scale]);
        var scores = _graph.Node($"{prefix}.scores", "MatMul", [scaled, Transpose($"{prefix}.key.transposed", key, 0, 1, 3, 2)]);
        var shares = _graph.Node($"{prefix}.shares", "Softmax", [scores], OnnxAttribute.Int("axis", -1));
        var mixed = _graph.Node($"{prefix}.mixed", "MatMul", [shares, value]);

        return Reshape($"{prefix}.joined", Transpose($"{prefix}.mixed.tokens", mixed, 0, 2, 1, 3), -1, _vit.Width);
    }

    /// <summary>[batch × tokens, width] to [batch, heads, tokens, head width].</summary>
    private OnnxValue Heads(string name, OnnxValue tokens) =>
        Transpose($"{name}.heads", Reshape($"{name}.split", tokens, -1, _vit.Tokens, _vit.Heads, _vit.HeadWidth), 0, 2, 1, 3);

    private OnnxValue Perceptron(string prefix, OnnxValue tokens)
    {
        var hidden = Linear($"{prefix}.0", $"{prefix}.0.weight", $"{prefix}.0.bias", tokens);
        return Linear($"{prefix}.3", $"{prefix}.3.weight", $"{prefix}.3.bias", Gelu($"{prefix}.gelu", hidden));
    }

    /// <summary>The exact GELU, x/2 × (1 + erf(x/√2)).</summary>
    private OnnxValue Gelu(string prefix, OnnxValue x)
    {
        if (_form is OperatorForm.Fused) return _graph.RuntimeNode($"{prefix}.output", "Gelu", [$"{prefix}.output"], [x])[0];

        var divided = _graph.Node($"{prefix}.divided", "Div", [x, _graph.Constant($"{prefix}.root_of_two", _type, MathF.Sqrt(2))]);
        var error = _graph.Node($"{prefix}.erf", "Erf", [divided]);
        var raised = Add($"{prefix}.raised", error, _graph.Constant($"{prefix}.one", _type, 1));
        var gated = _graph.Node($"{prefix}.gated", "Mul", [x, raised]);
        return _graph.Node($"{prefix}.output", "Mul", [gated, _graph.Constant($"{prefix}.half", _type, 0.5f)]);
    }

    /// <summary>The class token of each picture, normalized and through the head. The other tokens are not needed any more.</summary>
    private OnnxValue Classify(OnnxValue tokens)
    {
        var pictures = Reshape("encoder.pictures", tokens, -1, _vit.Tokens, _vit.Width);
        var first = _graph.Node("encoder.class", "Slice", [
            pictures,
            _graph.Constant("encoder.class.start", 0),
            _graph.Constant("encoder.class.end", 1),
            _graph.Constant("encoder.class.axis", 1),
        ]);
        var classes = LayerNorm("encoder.ln", Reshape("encoder.class.rows", first, -1, _vit.Width));

        var isFloat = _type is DataType.Float;
        var logits = Linear(isFloat ? OutputName : "heads.head", "heads.head.weight", "heads.head.bias", classes);
        return isFloat ? logits : Cast(OutputName, logits, DataType.Float);
    }

    /// <summary>What <see cref="Offsets"/> are made from stays in 32 bits.</summary>
    private DataType TypeOf(string weight) => weight is "class_token" or "encoder.pos_embedding" ? DataType.Float : _type;

    private OnnxValue Linear(string name, string weight, string bias, OnnxValue rows) =>
        _graph.Node(name, "Gemm", [rows, _weights[weight], _weights[bias]], OnnxAttribute.Int("transB", 1));

    private OnnxValue LayerNorm(string prefix, OnnxValue rows) => _graph.Node(
        prefix,
        "LayerNormalization",
        [rows, _weights[$"{prefix}.weight"], _weights[$"{prefix}.bias"]],
        OnnxAttribute.Int("axis", -1),
        OnnxAttribute.Float("epsilon", _vit.LayerNormEpsilon));

    /// <summary>A sum, and its layer norm.</summary>
    private (OnnxValue Sum, OnnxValue Normalized) AddAndLayerNorm(string sum, string norm, OnnxValue left, OnnxValue right)
    {
        if (_form is not OperatorForm.Fused)
        {
            var added = Add(sum, left, right);
            return (added, LayerNorm(norm, added));
        }

        var outputs = _graph.RuntimeNode(
            norm,
            "SkipLayerNormalization",
            [norm, "", "", sum],
            [left, right, _weights[$"{norm}.weight"], _weights[$"{norm}.bias"]],
            OnnxAttribute.Float("epsilon", _vit.LayerNormEpsilon));
        return (outputs[3], outputs[0]);
    }

    private OnnxValue Add(string name, OnnxValue left, OnnxValue right) => _graph.Node(name, "Add", [left, right]);

    private OnnxValue Cast(string name, OnnxValue value, DataType type) =>
        _graph.Node(name, "Cast", [value], OnnxAttribute.Int("to", (long)type));

    private OnnxValue Transpose(string name, OnnxValue value, params IEnumerable<long> order) =>
        _graph.Node(name, "Transpose", [value], OnnxAttribute.Ints("perm", order));

    private OnnxValue Reshape(string name, OnnxValue value, params ReadOnlySpan<long> shape) =>
        _graph.Node(name, "Reshape", [value, _graph.Constant($"{name}.shape", shape)]);
}
