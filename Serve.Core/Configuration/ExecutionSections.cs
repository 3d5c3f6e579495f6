namespace Serve.Core.Configuration;

/// <summary>The sections <c>execution</c> and <c>warmup</c> of a model's configuration.</summary>
internal static class ExecutionSections
{
    private static readonly string[] KnownProviders = ["cuda", "cpu"];

    public static ExecutionConfiguration BindExecution(SettingsReader settings, ExecutionConfiguration fallback)
    {
        var execution = fallback with
        {
            Providers = settings.Words("providers", fallback.Providers, KnownProviders, "cuda, cpu, or both in order of preference"),
            CudaOptions = settings.Texts("cudaOptions", fallback.CudaOptions),
            GraphOptimization = settings.Choice("graphOptimization", fallback.GraphOptimization),
            IntraOpThreads = settings.Integer("intraOpThreads", fallback.IntraOpThreads, 0, 1024),
            InterOpThreads = settings.Integer("interOpThreads", fallback.InterOpThreads, 1, 1024),
            AllowSpinning = settings.Flag("allowSpinning", fallback.AllowSpinning),
        };

        settings.Finish();
        if (execution.Providers.Distinct().Count() < execution.Providers.Count) settings.Problem("providers", "names a provider twice; give each once");
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
}
