namespace Serve.Core.Scheduling;

/// <summary>
/// How many requests may wait: as configured, or as many as can be answered within the target, by what was measured. Part of
/// the <see cref="Dispatcher"/>, under the same lock.
/// </summary>
/// <param name="configured"><c>maxQueueSize</c>; null: by what was measured.</param>
/// <param name="prediction">What was measured.</param>
/// <param name="targetTicks">The time within which the last in the queue should be answered.</param>
internal sealed class QueueLimit(int? configured, WaitPrediction prediction, long targetTicks)
{
    /// <summary>The most requests that may wait, now.</summary>
    public int Requests { get; private set; } = configured ?? prediction.QueueSizeFor(targetTicks);

    /// <summary>What was measured, or who serves, has changed: so may have what can be served in time.</summary>
    public void Fit()
    {
        if (configured is null && (Requests == 0 || prediction.Slots > 0)) Requests = prediction.QueueSizeFor(targetTicks);
    }

    /// <summary>Whether no more wait than may. A request of several rows counts as that many, but one request may always wait.</summary>
    public bool Allows(LaneQueue queue) => queue.Rows <= Requests || (queue.Requests == 1 && Requests > 0);
}
