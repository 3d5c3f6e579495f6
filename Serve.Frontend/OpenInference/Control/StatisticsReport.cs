using System.Globalization;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>What versions have done since they were loaded: the counts of <c>/metrics</c>, cut as the protocol has them.</summary>
internal sealed class StatisticsReport(ModelRegistry registry, OpenInferenceModels models)
{
    /// <summary>The statistics of all models, of the versions of one, or of one version.</summary>
    /// <param name="model">A model; null: all.</param>
    /// <param name="version">A version; null: all that are ready.</param>
    /// <exception cref="Core.Errors.ServeException">404, 503: not ready.</exception>
    public ModelStatisticsResponse Of(string? model, string? version)
    {
        var statistics = new ModelStatisticsResponse();
        statistics.ModelStats.AddRange(Versions(model, version).Select(Of));
        return statistics;
    }

    // A named model has one element for each of its ready versions; one that has none is not ready.
    private IEnumerable<ModelVersion> Versions(string? model, string? version)
    {
        if (model is null) return registry.AllVersions.Where(found => found.IsReady).OrderBy(found => found.Name, StringComparer.Ordinal).ThenBy(found => found.Version, VersionOrder.Instance);
        if (version is not null) return [models.FindReady(model, version)];
        var first = models.Find(model, null);
        List<ModelVersion> ready = [.. registry.Versions(first.Name).Where(found => found.IsReady)];
        return ready.Count > 0 ? ready : [models.FindReady(model, null)];
    }

    private static ModelStatistics Of(ModelVersion version)
    {
        var done = version.Statistics;
        var statistics = new ModelStatistics
        {
            Name = version.Name,
            Version = version.Version,
            LastInference = (ulong)(done.LastInference?.ToUnixTimeMilliseconds() ?? 0),
            InferenceCount = (ulong)done.Rows,
            ExecutionCount = (ulong)done.Executions,
            InferenceStats = new InferStatistics
            {
                Success = Duration(done.Success),
                Fail = Duration(done.Fail),
                Queue = Duration(done.Queue),
                ComputeInput = Duration(done.ComputeInput),
                ComputeInfer = Duration(done.ComputeInfer),
                ComputeOutput = Duration(done.ComputeOutput),
                CacheHit = Duration(done.CacheHit),
                CacheMiss = Duration(done.CacheMiss),
            },
        };
        statistics.BatchStats.AddRange(done.Batches.Select(Batch));
        for (var i = 0; i < done.Responses.Count; i++) statistics.ResponseStats[i.ToString(CultureInfo.InvariantCulture)] = Response(done.Responses[i]);
        statistics.MemoryUsage.AddRange(Memory(version.Describe().Workers));
        return statistics;
    }

    private static InferResponseStatistics Response(in ResponseTallies responses) => new()
    {
        ComputeInfer = Duration(responses.Infer),
        ComputeOutput = Duration(responses.Output),
        Success = Duration(responses.Success),
        Fail = Duration(responses.Fail),
        EmptyResponse = Duration(responses.Empty),
        Cancel = Duration(responses.Cancel),
    };

    private static InferBatchStatistics Batch(BatchStatistics size) => new()
    {
        BatchSize = (ulong)size.Rows,
        ComputeInput = Duration(size.Input),
        ComputeInfer = Duration(size.Execute),
        ComputeOutput = Duration(size.Output),
    };

    private static IEnumerable<MemoryUsage> Memory(IReadOnlyList<WorkerDescription> workers)
    {
        yield return new MemoryUsage { Type = "CPU", Id = 0, ByteSize = (ulong)workers.Sum(static worker => worker.MemoryBytes) };
        foreach (var device in workers.Where(static worker => worker.DeviceMemoryBytes > 0).GroupBy(static worker => IndexOf(worker.Device)))
        {
            yield return new MemoryUsage { Type = "GPU", Id = device.Key, ByteSize = (ulong)device.Sum(static worker => worker.DeviceMemoryBytes ?? 0) };
        }
    }

    // cuda:1
    private static long IndexOf(string? device) => device is not null && long.TryParse(device.AsSpan(device.IndexOf(':', StringComparison.Ordinal) + 1), out var index) ? index : 0;

    private static StatisticDuration Duration(Tally tally) => new() { Count = (ulong)tally.Count, Ns = (ulong)(tally.Time.Ticks * TimeSpan.NanosecondsPerTick) };
}
