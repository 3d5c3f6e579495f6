namespace Serve.Core.Configuration;

/// <summary>
/// How many executions at once a worker gets that does not say (<c>instances: 0</c>). On a GPU one: it fills the device. On a
/// CPU several executions of few threads each do more than one of many threads, because threads of one operator wait for
/// each other after every operator: measured on two processors 1.4 times (vit_ti_16) and 2.1 times (fashion-vit) as many
/// pictures. Not one for every processor of a large machine, for the sake of the latency of a single request.
/// </summary>
public static class DefaultInstances
{
    private const int ThreadsOfLargeMachine = 4;
    private const int Most = 16;

    /// <summary>The number for a model.</summary>
    /// <param name="configuration">The model's configuration.</param>
    /// <param name="processors">Of the machine.</param>
    /// <returns>
    /// One with CUDA graphs, which run one batch at a time. Otherwise what the configuration says; else by its share of the processors: each of up to three, above that two or one for
    /// every four processors. One for a handler that computes by itself, which may not be made for several threads.
    /// </returns>
    public static int For(ModelConfiguration configuration, int processors)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        if (configuration.Execution.CudaGraphs && configuration.DeviceType == DeviceType.Gpu) return 1;
        if (configuration.Instances > 0) return configuration.Instances;
        var hasModel = configuration.Handler is null || HandlerName.Parse(configuration.Handler, out _) is { NeedsModel: true };
        var isCpu = configuration.DeviceType == DeviceType.Cpu && configuration.Execution.Providers.All(provider => provider.Equals("cpu", StringComparison.OrdinalIgnoreCase));
        if (!hasModel || !isCpu) return 1;

        var share = processors / Math.Max(1, configuration.MinWorkers);
        return share < ThreadsOfLargeMachine ? Math.Max(1, share) : Math.Clamp(share / ThreadsOfLargeMachine, 2, Most);
    }
}
