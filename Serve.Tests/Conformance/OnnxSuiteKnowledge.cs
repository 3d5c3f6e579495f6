namespace Serve.Tests.Conformance;

/// <summary>What is known of single models of the suite, by their names.</summary>
internal static class OnnxSuiteKnowledge
{
    private const string Digits = "ONNX Runtime writes numbers as texts with other digits at their end";
    private const string Corners = "ONNX Runtime aligns the corners of the output as large as it is, the suite those of one with a fraction of a pixel more";
    private const string Unpooled = "ONNX Runtime reads the indices of MaxUnpool as places in the output, the suite as places in one of the pooled size";

    private const string Misfit = "the suite's input `like` has the shape [1] where its model takes [3,4]; answered 400";

    private static readonly Dictionary<string, string> Differences = new(StringComparer.Ordinal)
    {
        ["test_castlike_BFLOAT16_to_FLOAT"] = Misfit,
        ["test_castlike_BFLOAT16_to_FLOAT_expanded"] = Misfit,
        ["test_castlike_FLOAT_to_BFLOAT16"] = Misfit,
        ["test_castlike_FLOAT_to_BFLOAT16_expanded"] = Misfit,
        ["test_cast_FLOAT_to_STRING"] = Digits,
        ["test_castlike_FLOAT_to_STRING"] = Digits,
        ["test_castlike_FLOAT_to_STRING_expanded"] = Digits,
        ["test_maxunpool_export_with_output_shape"] = Unpooled,
        ["test_resize_downsample_scales_cubic_align_corners"] = Corners,
        ["test_resize_downsample_scales_linear_align_corners"] = Corners,
    };

    /// <summary>How ONNX Runtime, or the model itself, differs from what the suite says; null: not known to.</summary>
    public static string? Difference(OnnxTestCase test) => Differences.GetValueOrDefault(test.Name);

    /// <summary>Whether it draws random numbers, for which the suite has what NumPy drew.</summary>
    public static bool IsRandom(OnnxTestCase test) =>
        test.Name.StartsWith("test_bernoulli", StringComparison.Ordinal)
        || (test.Name.StartsWith("test_training_dropout", StringComparison.Ordinal) && !test.Name.Contains("zero_ratio", StringComparison.Ordinal));

    /// <summary>Whether ONNX Runtime can only load it where the system has the locale en_US.UTF-8.</summary>
    public static bool NeedsLocale(OnnxTestCase test) => test.Name.Contains("strnorm", StringComparison.Ordinal);
}
