using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>Reads a model's inputs and outputs from its session, and tells what its first dimension allows.</summary>
internal static class SignatureReader
{
    /// <param name="session">The model's.</param>
    /// <param name="batch">What its configuration says of the first dimension.</param>
    /// <param name="note">Why its first dimension, although dynamic, is not taken for a batch; null: it is, or is not dynamic.</param>
    /// <exception cref="InvalidModelException">An input or output is no tensor, or of a type that .NET has none for; or it cannot be what the configuration says.</exception>
    public static ModelSignature Read(InferenceSession session, BatchDimension batch, out string? note)
    {
        // The metadata are dictionaries; the name lists have the model's order.
        var inputs = session.InputNames.Select(name => ReadTensor("input", name, session.InputMetadata[name])).ToArray();
        var outputs = session.OutputNames.Select(name => ReadTensor("output", name, session.OutputMetadata[name])).ToArray();
        note = null;
        if (batch == BatchDimension.None) return new ModelSignature(inputs, outputs, RowBatching.None);

        var batching = BatchingOf(inputs, outputs);
        if (batch == BatchDimension.First)
        {
            return batching == RowBatching.None ? throw new InvalidModelException(NoFirst(inputs, outputs)) : new ModelSignature(inputs, outputs, batching);
        }

        if (batching == RowBatching.Dynamic)
        {
            note = FirstDimensionNames.Conflict(
                [.. session.InputNames.Select(name => new NamedDimension(name, session.InputMetadata[name].SymbolicDimensions[0]))],
                [.. session.OutputNames.Select(name => new NamedDimension(name, session.OutputMetadata[name].SymbolicDimensions[0]))]);
        }

        return new ModelSignature(inputs, outputs, note is null ? batching : RowBatching.None);
    }

    /// <summary>The rule of <see cref="RowBatching"/>, on shapes alone.</summary>
    public static RowBatching BatchingOf(IReadOnlyList<TensorInfo> inputs, IReadOnlyList<TensorInfo> outputs)
    {
        if (inputs.Count == 0) return RowBatching.None;
        if (FirstIs(inputs, -1) && FirstIs(outputs, -1)) return RowBatching.Dynamic;

        // Exporters sometimes lose the 1 on an output; only another fixed number says that this is no batch dimension.
        var outputsAllow = outputs.All(output => output.Shape.Count > 0 && output.Shape[0] is 1 or -1);
        return FirstIs(inputs, 1) && outputsAllow ? RowBatching.FixedOne : RowBatching.None;
    }

    private static string NoFirst(TensorInfo[] inputs, TensorInfo[] outputs)
    {
        if (inputs.Length == 0) return "batchDimension is first, but the model has no inputs.";
        var other = inputs.Concat(outputs).FirstOrDefault(tensor => tensor.Shape.Count == 0 || tensor.Shape[0] != -1);
        return $"batchDimension is first, but the first dimension of {(other is null ? "the outputs" : $"'{other.Name}' ({ShapeText.Of([.. other.Shape])})")} is not dynamic; export the model with a dynamic batch, or remove the line.";
    }

    private static bool FirstIs(IReadOnlyList<TensorInfo> tensors, long dimension) =>
        tensors.All(tensor => tensor.Shape.Count > 0 && tensor.Shape[0] == dimension);

    private static TensorInfo ReadTensor(string kind, string name, NodeMetadata metadata)
    {
        if (metadata.OnnxValueType != OnnxValueType.ONNX_TYPE_TENSOR)
        {
            var what = metadata.OnnxValueType.ToString().Replace("ONNX_TYPE_", "", StringComparison.Ordinal).ToLowerInvariant();
            throw new InvalidModelException($"The model's {kind} '{name}' is {(what == "optional" ? "an" : "a")} {what}; only tensors can be served.{(what is "map" or "sequence" && kind == "output" ? " (Exports of scikit-learn: switch ZipMap off.)" : "")}");
        }

        var element = ElementTypes.FromOnnx(metadata.ElementDataType)
            ?? throw new InvalidModelException($"The model's {kind} '{name}' has elements of type {metadata.ElementDataType}, which has no .NET type; use one of {string.Join(", ", Enum.GetNames<TensorElement>())}.");
        return new TensorInfo(name, element, [.. metadata.Dimensions.Select(dimension => dimension < 0 ? -1L : dimension)]);
    }
}
