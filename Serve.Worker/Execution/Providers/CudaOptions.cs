using System.Globalization;
using Serve.Core.Configuration;

namespace Serve.Worker.Execution.Providers;

/// <summary>A model's configuration in the words of ONNX Runtime's CUDA provider.</summary>
internal static class CudaOptions
{
    public static IReadOnlyDictionary<string, string> Of(ExecutionConfiguration execution, int deviceIndex)
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["device_id"] = deviceIndex.ToString(CultureInfo.InvariantCulture),
            ["arena_extend_strategy"] = execution.ArenaExtendStrategy is ArenaExtendStrategy.NextPowerOfTwo ? "kNextPowerOfTwo" : "kSameAsRequested",
            ["cudnn_conv_algo_search"] = execution.CudnnConvAlgoSearch switch
            {
                CudnnConvAlgoSearch.Exhaustive => "EXHAUSTIVE",
                CudnnConvAlgoSearch.Default => "DEFAULT",
                _ => "HEURISTIC",
            },
            ["use_tf32"] = Flag(execution.UseTf32),
            ["enable_cuda_graph"] = Flag(execution.CudaGraphs),
        };
        if (execution.GpuMemoryLimit is { } bytes) options["gpu_mem_limit"] = bytes.ToString(CultureInfo.InvariantCulture);

        foreach (var (key, value) in execution.CudaOptions) options[key] = value;
        return options;
    }

    private static string Flag(bool value) => value ? "1" : "0";
}
