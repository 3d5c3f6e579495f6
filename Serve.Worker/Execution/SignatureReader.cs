using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>Reads a model's inputs and outputs from its session, and tells what its first dimension allows.</summary>
internal static class SignatureReader
{
    /// <exception cref="InvalidModelException">An input or output is no tensor, or of a type that .NET has none for.</exception>
    public static ModelSignature Read(InferenceSession session)
    {
        // The metadata are dictionaries; the name lists have the model's order.
        var inputs = session.InputNames.Select(name => ReadTensor("input", name, session.InputMetadata[name])).ToArray();
        var outputs = session.OutputNames.Select(name => ReadTensor("output", name, session.OutputMetadata[name])).ToArray();
        return new ModelSignature(inputs, outputs, BatchingOf(inputs, outputs));
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

    private static bool FirstIs(IReadOnlyList<TensorInfo> tensors, long dimension) =>
        tensors.All(tensor => tensor.Shape.Count > 0 && tensor.Shape[0] == dimension);

    private static TensorInfo ReadTensor(string kind, string name, NodeMetadata metadata)
    {
        if (metadata.OnnxValueType != OnnxValueType.ONNX_TYPE_TENSOR)
        {
            var what = metadata.OnnxValueType.ToString().Replace("ONNX_TYPE_", "", StringComparison.Ordinal).ToLowerInvariant();
            throw new InvalidModelException($"The model's {kind} '{name}' is a {what}; only tensors can be served. (Exports of scikit-learn: switch ZipMap off.)");
        }

        var element = ElementTypes.FromOnnx(metadata.ElementDataType)
            ?? throw new InvalidModelException($"The model's {kind} '{name}' has elements of type {metadata.ElementDataType}, which has no .NET type; use one of {string.Join(", ", Enum.GetNames<TensorElement>())}.");
        return new TensorInfo(name, element, [.. metadata.Dimensions.Select(dimension => dimension < 0 ? -1L : dimension)]);
    }
}
