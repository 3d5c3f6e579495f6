using System.Globalization;
using Serve.Core.Configuration;
using Serve.Core.Handlers;

namespace Serve.Worker.Execution.Providers;

/// <summary>A model's configuration in the words of ONNX Runtime's TensorRT provider.</summary>
internal static class TensorRtOptions
{
    /// <param name="execution">The configuration.</param>
    /// <param name="deviceIndex">Which GPU.</param>
    /// <param name="engineFolder">Where engines and kernel timings are kept; null: nowhere.</param>
    /// <param name="inputs">The model's inputs; null: not known.</param>
    /// <param name="batchSize">The largest batch.</param>
    public static IReadOnlyDictionary<string, string> Of(
        ExecutionConfiguration execution, int deviceIndex, string? engineFolder, IReadOnlyList<TensorInfo>? inputs, int batchSize)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["device_id"] = deviceIndex.ToString(CultureInfo.InvariantCulture),
            ["trt_fp16_enable"] = Flag(execution.Fp16),
            ["trt_cuda_graph_enable"] = Flag(execution.CudaGraphs),
        };
        if (execution.EngineCache && engineFolder is not null)
        {
            options["trt_engine_cache_enable"] = "1";
            options["trt_engine_cache_path"] = engineFolder;
            options["trt_timing_cache_enable"] = "1";
            options["trt_timing_cache_path"] = engineFolder;
        }

        if (inputs is not null && OnlyTheBatchIsDynamic(inputs))
        {
            // One engine for all batches. Without a profile TensorRT builds another whenever a batch is larger than any before.
            options["trt_profile_min_shapes"] = Shapes(inputs, 1);
            options["trt_profile_opt_shapes"] = Shapes(inputs, batchSize);
            options["trt_profile_max_shapes"] = Shapes(inputs, batchSize);
        }

        foreach (var (key, value) in execution.TensorrtOptions) options[key] = value;
        return options;
    }

    /// <summary>
    /// Whether a model failed to load because of the profiles. They name the model's inputs; where TensorRT takes only parts of
    /// it, the parts have inputs of their own, and it wants profiles of all of them or of none.
    /// </summary>
    /// <param name="message">What ONNX Runtime said.</param>
    public static bool LacksProfiles(string message) => message.Contains("no associated shape profiles provided", StringComparison.Ordinal);

    private static bool OnlyTheBatchIsDynamic(IReadOnlyList<TensorInfo> inputs) =>
        inputs.Count > 0 && inputs.All(input => input.Shape.Count > 0 && input.Shape[0] < 0 && input.Shape.Skip(1).All(dimension => dimension > 0));

    private static string Shapes(IReadOnlyList<TensorInfo> inputs, int batch) => string.Join(',', inputs.Select(input =>
        $"{input.Name}:{string.Join('x', input.Shape.Skip(1).Prepend(batch).Select(dimension => dimension.ToString(CultureInfo.InvariantCulture)))}"));

    private static string Flag(bool value) => value ? "1" : "0";
}
