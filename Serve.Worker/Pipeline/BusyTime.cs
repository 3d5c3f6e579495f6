namespace Serve.Worker.Pipeline;

/// <summary>What has been executed since the worker's start. Under the lock of <see cref="PendingRequests"/>.</summary>
internal sealed class BusyTime(TimeProvider time)
{
    private TimeSpan _ended;
    private long _began;
    private bool _isBusy;

    public long Batches { get; private set; }

    public long Rows { get; private set; }

    /// <summary>Time in which at least one batch executed, the present one included.</summary>
    public long Microseconds => (long)(_isBusy ? _ended + time.GetElapsedTime(_began) : _ended).TotalMicroseconds;

    public void Begin(long now) => (_began, _isBusy) = (now, true);

    public void End(bool wasLast, int rows)
    {
        Batches++;
        Rows += rows;
        if (!wasLast) return;
        _ended += time.GetElapsedTime(_began);
        _isBusy = false;
    }
}
