using Microsoft.ML.OnnxRuntime.Tensors;
using Serve.Core.Handlers;
using Serve.Core.Onnx.Format;

namespace Serve.Worker.Execution.Loading;

/// <summary>A graph's inputs before there is a session.</summary>
internal static class GraphInputs
{
    /// <summary>What has to be fed; null where the outline or one of its types is not known. Old models list their weights as inputs too: they are left out.</summary>
    public static IReadOnlyList<TensorInfo>? Of(ModelProto? outline)
    {
        if (outline is null) return null;
        var weights = outline.Graph.Initializer.Select(weight => weight.Name).ToHashSet(StringComparer.Ordinal);
        var inputs = new List<TensorInfo>();
        foreach (var input in outline.Graph.Input.Where(input => !weights.Contains(input.Name)))
        {
            // The two enumerations have the same numbers.
            if (input.Type?.TensorType is not { } tensor || ElementTypes.FromOnnx((TensorElementType)tensor.ElemType) is not { } element) return null;
            inputs.Add(new TensorInfo(input.Name, element, [.. (tensor.Shape?.Dim ?? []).Select(dimension => dimension.HasDimValue && dimension.DimValue >= 0 ? dimension.DimValue : -1)]));
        }

        return inputs;
    }
}
