namespace Serve.Core.Scheduling;

/// <summary>
/// The requests of one model version that have a deadline and are neither answered nor given up, wherever they are. Part of
/// the <see cref="Dispatcher"/>, under the same lock. Hot path.
/// </summary>
internal sealed class Deadlines
{
    private readonly IndexedHeap<ScheduledRequest, ByDeadline> _requests = new();

    /// <summary>The earliest; <see cref="long.MaxValue"/>: there is none.</summary>
    public long Next => _requests.First?.DeadlineTimestamp ?? long.MaxValue;

    /// <summary>A request comes in.</summary>
    public void Add(ScheduledRequest request)
    {
        if (request.DeadlineTimestamp != long.MaxValue) _requests.Add(request);
    }

    /// <summary>A request need not be watched any more; nothing happens when it is not.</summary>
    public void Remove(ScheduledRequest request) => _requests.Remove(request);

    /// <summary>A request has another deadline now.</summary>
    public void Move(ScheduledRequest request, long timestamp)
    {
        _requests.Remove(request);
        request.DeadlineTimestamp = timestamp;
        _requests.Add(request);
    }

    /// <summary>Takes out one whose deadline has passed; null: there is none left.</summary>
    public ScheduledRequest? TakeLate(long now)
    {
        if (_requests.First is not { } first || first.DeadlineTimestamp > now) return null;
        _requests.Remove(first);
        return first;
    }

    private readonly struct ByDeadline : IHeapOrder<ScheduledRequest>
    {
        public static bool Before(ScheduledRequest a, ScheduledRequest b) => a.DeadlineTimestamp < b.DeadlineTimestamp;

        public static ref int IndexOf(ScheduledRequest item) => ref item.DeadlineIndex;
    }
}
