namespace Serve.Core.Scheduling;

/// <summary>How many batches of each size have run, and how long they took. The scheduler's lock guards it; a few additions a batch.</summary>
/// <param name="batchSize">The most rows of a batch; larger ones, of single requests, count as that.</param>
internal sealed class BatchTally(int batchSize)
{
    private readonly long[] _counts = new long[batchSize];
    private readonly BatchTicks[] _ticks = new BatchTicks[batchSize];

    /// <summary>When a batch was last executed, as a timestamp; null: never.</summary>
    public long? LastTimestamp { get; private set; }

    /// <summary>A batch has run.</summary>
    /// <param name="rows">Its rows.</param>
    /// <param name="ticks">How long it took.</param>
    /// <param name="now">The time.</param>
    public void Add(int rows, BatchTicks ticks, long now)
    {
        var at = Math.Min(rows, _counts.Length) - 1;
        _counts[at]++;
        _ticks[at] += ticks;
        LastTimestamp = now;
    }

    /// <summary>The sizes of which batches have run.</summary>
    public IReadOnlyList<BatchSizeTally> Sizes() =>
        [.. Enumerable.Range(0, _counts.Length).Where(at => _counts[at] > 0).Select(at => new BatchSizeTally(at + 1, _counts[at], _ticks[at]))];
}

/// <summary>What batches of one size took together.</summary>
/// <param name="Rows">Their rows.</param>
/// <param name="Batches">How many they were.</param>
/// <param name="Ticks">How long they took.</param>
internal readonly record struct BatchSizeTally(int Rows, long Batches, BatchTicks Ticks);
