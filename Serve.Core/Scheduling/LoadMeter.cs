namespace Serve.Core.Scheduling;

/// <summary>
/// Demand on one model version, and what it can serve: arrivals, the fill of its batches, capacity. Part of the
/// <see cref="Dispatcher"/>, under the same lock. Hot path, but for <see cref="Read"/>.
/// </summary>
/// <param name="batchSize">The most rows of a batch.</param>
/// <param name="prediction">What a wait would be.</param>
/// <param name="cost">How long batches take.</param>
/// <param name="time">The clock.</param>
internal sealed class LoadMeter(int batchSize, WaitPrediction prediction, BatchCostModel cost, TimeProvider time)
{
    /// <summary>The batches that the mean fill tells of.</summary>
    private const double RecentBatches = 32;

    private static readonly TimeSpan ArrivalWindow = TimeSpan.FromSeconds(10);

    private readonly ArrivalMeter _arrivals = new(ArrivalWindow, time.TimestampFrequency);
    private double _batchRows;

    /// <summary>A request has arrived, whether it is taken in or not.</summary>
    public void Arrived(int rows, long now) => _arrivals.Add(rows, now);

    /// <summary>A batch has begun.</summary>
    public void BatchBegun(int rows) => _batchRows += (rows - _batchRows) / RecentBatches;

    /// <summary>What is known now.</summary>
    /// <param name="queuedRows">Rows that wait.</param>
    public DispatcherLoad Read(int queuedRows)
    {
        var now = time.GetTimestamp();
        var capacity = cost.HasEvidence ? batchSize * (double)prediction.Slots / cost.Mean(batchSize) * time.TimestampFrequency : 0;
        var wait = prediction.TicksUntilAnswer(queuedRows, 1, now);
        return new DispatcherLoad(
            _arrivals.PerSecond(now),
            capacity,
            _batchRows / batchSize,
            time.SpanOf(wait == 0 ? cost.Mean(1) : wait + prediction.MarginAt(now)));
    }
}
