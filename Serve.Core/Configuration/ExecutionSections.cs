namespace Serve.Core.Configuration;

/// <summary>The sections <c>execution</c> and <c>warmup</c> of a model's configuration.</summary>
internal static class ExecutionSections
{
    private static readonly string[] KeysOfTensorrt = ["engineCache", "fp16", "tensorrtOptions"];
    private static readonly string[] KnownProviders = ["tensorrt", "cuda", "cpu"];

    // The server itself must know of these: with graphs one batch runs at a time, and memory is page-locked for the device.
    private static readonly (string Option, string Instead)[] ReservedOptions =
    [
        ("enable_cuda_graph", "execution.cudaGraphs"), ("trt_cuda_graph_enable", "execution.cudaGraphs"), ("device_id", "deviceIds"),
    ];

    public static ExecutionConfiguration BindExecution(SettingsReader settings, ExecutionConfiguration fallback)
    {
        var execution = fallback with
        {
            Providers = settings.Words("providers", fallback.Providers, KnownProviders, "some of tensorrt, cuda and cpu in order of preference"),
            GraphOptimization = settings.Choice("graphOptimization", fallback.GraphOptimization),
            OptimizedModelCache = settings.Flag("optimizedModelCache", fallback.OptimizedModelCache),
            IntraOpThreads = settings.Integer("intraOpThreads", fallback.IntraOpThreads, 0, 1024),
            InterOpThreads = settings.Integer("interOpThreads", fallback.InterOpThreads, 1, 1024),
            AllowSpinning = settings.Flag("allowSpinning", fallback.AllowSpinning),
            CpuArena = settings.Flag("cpuArena", fallback.CpuArena),
            MemoryPattern = settings.Flag("memoryPattern", fallback.MemoryPattern),
            ArenaExtendStrategy = settings.Choice("arenaExtendStrategy", fallback.ArenaExtendStrategy),
            GpuMemoryLimit = settings.OptionalSize("gpuMemoryLimit", fallback.GpuMemoryLimit, 16L << 20, 1L << 50),
            CudnnConvAlgoSearch = settings.Choice("cudnnConvAlgoSearch", fallback.CudnnConvAlgoSearch),
            UseTf32 = settings.Flag("useTf32", fallback.UseTf32),
            CudaGraphs = settings.Flag("cudaGraphs", fallback.CudaGraphs),
            Buckets = settings.List("buckets", fallback.Buckets, item => item.IsPlain && ValueText.Integer(item.Text) is >= 1 and <= 4096 and var size ? (int)size : null,
                "batch sizes from 1 to 4096, each once, for example [1, 8, 32]", sizes => sizes.Distinct().Count() == sizes.Count),
            CudaOptions = settings.Texts("cudaOptions", fallback.CudaOptions),
            EngineCache = settings.Flag("engineCache", fallback.EngineCache),
            Fp16 = settings.Flag("fp16", fallback.Fp16),
            TensorrtOptions = settings.Texts("tensorrtOptions", fallback.TensorrtOptions),
        };

        settings.Finish();
        if (execution.Providers.Distinct().Count() < execution.Providers.Count) settings.Problem("providers", "names a provider twice; give each once");
        RefuseReserved(settings, "cudaOptions", execution.CudaOptions);
        RefuseReserved(settings, "tensorrtOptions", execution.TensorrtOptions);
        WarnAboutIdleKeys(settings, execution);
        return execution;
    }

    public static WarmupConfiguration BindWarmup(SettingsReader settings, WarmupConfiguration fallback)
    {
        var warmup = fallback with
        {
            Enabled = settings.Flag("enabled", fallback.Enabled),
            Runs = settings.Integer("runs", fallback.Runs, 0, 1000),
            Decodes = settings.Integer("decodes", fallback.Decodes, 0, 100_000),
        };

        settings.Finish();
        return warmup;
    }

    private static void RefuseReserved(SettingsReader settings, string key, IReadOnlyDictionary<string, string> options)
    {
        foreach (var (option, instead) in ReservedOptions)
        {
            if (options.ContainsKey(option)) settings.Problem(key, $"{option} is not allowed here; use {instead}");
        }
    }

    /// <summary>Keys of a provider that is not asked for. A GPU may still be asked for by <c>deviceType</c>, outside this section.</summary>
    private static void WarnAboutIdleKeys(SettingsReader settings, ExecutionConfiguration execution)
    {
        var tensorrt = execution.Providers.Contains("tensorrt");
        if (execution.Providers.Count > 0 && !tensorrt)
        {
            foreach (var key in KeysOfTensorrt.Where(settings.Has)) settings.Warn(key, "has no effect without tensorrt in providers");
        }
    }
}
