using System.Text.RegularExpressions;

namespace Serve.Worker.Execution;

/// <summary>The name that a model gives to the first dimension of an input or output.</summary>
/// <param name="Tensor">The input or output.</param>
/// <param name="Dimension">The name; empty: none.</param>
internal readonly record struct NamedDimension(string Tensor, string Dimension);

/// <summary>
/// What the names of dynamic dimensions say about a batch: dimensions of one name have one size, so first dimensions of two
/// names need not be the same number, and rows of strangers must not be put together. Names that exporters make up for
/// each dimension by itself say nothing.
/// </summary>
internal static partial class FirstDimensionNames
{
    /// <returns>A sentence that says which differ; null: nothing speaks against a batch.</returns>
    public static string? Conflict(IReadOnlyList<NamedDimension> inputs, IReadOnlyList<NamedDimension> outputs)
    {
        NamedDimension? first = null;
        foreach (var tensor in inputs.Concat(outputs))
        {
            if (tensor.Dimension.Length == 0 || MadeUp().IsMatch(tensor.Dimension)) continue;
            first ??= tensor;
            if (first.Value.Dimension == tensor.Dimension) continue;
            return $"requests run one by one: the first dimension of '{first.Value.Tensor}' is called {first.Value.Dimension}, that of '{tensor.Tensor}' {tensor.Dimension}, so it is not taken for a batch; if it is one, set batchDimension: first";
        }

        return null;
    }

    // tf2onnx (unk__12) and ONNX Runtime's shape inference; PyTorch, for outputs that nobody named (Addy_dim_0) and for axes
    // without a name (x_dynamic_axes_1); Paddle (p2o.DynamicDimension.0); others.
    [GeneratedRegex(@"^(?:unk_*\d+|.*_dim_\d+|.*dynamic_axes_\d+|.*DynamicDimension\.\d+|\?|None|-1)$", RegexOptions.CultureInvariant)]
    private static partial Regex MadeUp();
}
