using Serve.Core.Models;

namespace Serve.Management.Overview;

/// <summary>A model version in the overview. Milliseconds, bytes, ratios from 0 to 1.</summary>
public sealed record OverviewVersion
{
    public required string Version { get; init; }

    public required bool IsDefault { get; init; }

    public required ModelState State { get; init; }

    /// <summary>Why it is not as it should be.</summary>
    public string? Reason { get; init; }

    public string? Handler { get; init; }

    public required int MinWorkers { get; init; }

    public required int MaxWorkers { get; init; }

    /// <summary>Whether the number of workers follows the load, between the two.</summary>
    public bool Autoscales { get; init; }

    public required double RequestsPerSecond { get; init; }

    public required double ErrorsPerSecond { get; init; }

    public required double ClientErrorsPerSecond { get; init; }

    public double? P50Ms { get; init; }

    public double? P90Ms { get; init; }

    public double? P99Ms { get; init; }

    public required int InFlight { get; init; }

    public required int Queue { get; init; }

    public required int QueueCapacity { get; init; }

    /// <summary>Share of the capacity that is not asked for; negative: more arrives than can be served.</summary>
    public double? HeadroomRatio { get; init; }

    /// <summary>The largest batch.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Rows of the mean batch.</summary>
    public double? MeanBatch { get; init; }

    /// <summary>The mean batch as a share of the largest.</summary>
    public double? BatchFillRatio { get; init; }

    /// <summary>Batches a second by their rows, up to the largest batch.</summary>
    public required IReadOnlyList<OverviewBatches> BatchSizes { get; init; }

    /// <summary>The mean time of a request in each stage, by the stage's name in the metrics.</summary>
    public required IReadOnlyDictionary<string, double> StagesMs { get; init; }

    /// <summary>Share of the last ten seconds in which the workers' devices executed for it, the mean of the workers.</summary>
    public double? DeviceBusyRatio { get; init; }

    public required IReadOnlyList<OverviewWorker> Workers { get; init; }

    /// <summary>Workers that were lost since the version was registered.</summary>
    public required long Restarts { get; init; }

    /// <summary>How the last of them ended.</summary>
    public OverviewError? LastError { get; init; }
}

/// <summary>Batches of more rows than the entry before, up to <paramref name="Le"/>.</summary>
public sealed record OverviewBatches(int Le, double PerSecond);

/// <summary>What went wrong, and when.</summary>
public sealed record OverviewError(DateTimeOffset Time, string Message);

/// <summary>A worker in the overview.</summary>
public sealed record OverviewWorker
{
    public required string Id { get; init; }

    public int? Pid { get; init; }

    public required WorkerState State { get; init; }

    public string? Device { get; init; }

    public long? MemoryBytes { get; init; }

    public long? DeviceMemoryBytes { get; init; }

    /// <summary>Share of the last ten seconds in which its device executed.</summary>
    public double? DeviceBusyRatio { get; init; }

    /// <summary>Rows at the worker.</summary>
    public required int InFlight { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>How often its place was filled again.</summary>
    public required int Restarts { get; init; }
}
