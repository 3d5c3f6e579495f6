using Serve.Core.Configuration;

namespace Serve.Core.Scheduling;

/// <summary>How the requests of one model version reach its workers.</summary>
public sealed record DispatcherOptions
{
    /// <summary>
    /// The most requests that may wait in the queue. A request that finds credit at once does not wait and does not count.
    /// Null: as many as can be answered within <see cref="LatencyTarget"/>, by what was measured.
    /// </summary>
    public int? MaxQueueSize { get; init; } = 100;

    /// <summary>The time within which the last in a queue without a fixed size should be answered.</summary>
    public TimeSpan LatencyTarget { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Whether a request is refused at its arrival when its answer would come after its deadline.</summary>
    public bool RefusesLate { get; init; } = true;

    /// <summary>Batches that a worker executes at once.</summary>
    public int Instances { get; init; } = 1;

    /// <summary>Priority lanes; a request of a lane beyond the last waits in the last.</summary>
    public int Lanes { get; init; } = 1;

    /// <summary>When a batch closes.</summary>
    public BatchingMode Mode { get; init; } = BatchingMode.Adaptive;

    /// <summary>The most rows in one batch.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>How long a request may be held for its batch to fill, from its arrival. Only for <see cref="BatchingMode.Delayed"/>.</summary>
    public TimeSpan MaxBatchDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// A lane of which nothing was sent for this long goes first for one batch's worth of rows, so that no lane starves; between
    /// two such batches one at least goes in the usual order, so that the first lane does not either. Within a lane a deadline moves a request forward by at most as much, so that no request does.
    /// </summary>
    public TimeSpan StarvationLimit { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Rows that another worker has not begun are recalled for an idle one only when a batch takes at least this long. A recall
    /// costs a round trip and decoding again, which is more than it saves when batches are short.
    /// </summary>
    public TimeSpan MinBatchTimeForRecall { get; init; } = TimeSpan.FromMilliseconds(2);

    /// <summary>A request fails when this many workers died while they ran it alone.</summary>
    public int MaxSoloDeaths { get; init; } = 3;

    /// <summary>
    /// A request that was present, not yet begun, at this many deaths is suspected too: decoding may be what kills. One death
    /// is never held against it.
    /// </summary>
    public int MaxBystanderDeaths { get; init; } = 2;

    /// <summary>Those of a model version.</summary>
    internal static DispatcherOptions Of(ModelConfiguration configuration)
    {
        var options = new DispatcherOptions
        {
            MaxQueueSize = configuration.MaxQueueSize,
            LatencyTarget = configuration.LatencyTarget ?? configuration.ResponseTimeout,
            Instances = configuration.Instances,
            Lanes = configuration.PriorityLevels,
            Mode = configuration.Batching,
            BatchSize = configuration.BatchSize,
            MaxBatchDelay = configuration.MaxBatchDelay,
        };

        // A lane that waits must be lifted while its requests can still be in time.
        return configuration.LatencyTarget / 2 is { } half && half < options.StarvationLimit ? options with { StarvationLimit = half } : options;
    }

    internal void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(MaxQueueSize ?? 0, nameof(MaxQueueSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(LatencyTarget, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(Instances, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Lanes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBatchDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(StarvationLimit, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MinBatchTimeForRecall, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxSoloDeaths, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxBystanderDeaths, 1);
    }
}
