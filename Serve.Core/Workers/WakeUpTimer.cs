namespace Serve.Core.Workers;

/// <summary>
/// Wakes the scheduler when the passing of time gives it something to do. Armed for one moment, the earliest that was asked
/// for; belongs to the scheduler's lock, which <c>wake</c> takes itself.
/// </summary>
internal sealed class WakeUpTimer : IDisposable
{
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _due = long.MaxValue;
    private bool _isDisposed;

    /// <summary>Creates it, unarmed.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="wake">Called on a thread of the pool; begins with <see cref="TryBegin"/>.</param>
    public WakeUpTimer(TimeProvider time, Action wake)
    {
        _time = time;
        _timer = time.CreateTimer(static state => ((Action)state!)(), wake, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Arms it, unless it is armed for an earlier moment. Hot path: nearly always it is.</summary>
    /// <param name="timestamp">The moment; <see cref="long.MaxValue"/>: none.</param>
    public void WakeAt(long timestamp)
    {
        if (timestamp >= _due || _isDisposed) return;
        _due = timestamp;
        var due = _time.GetElapsedTime(_time.GetTimestamp(), timestamp);

        // A millisecond more: timers count in those, and one that fires early has to be set again.
        _timer.Change(due <= TimeSpan.Zero ? TimeSpan.Zero : due + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
    }

    /// <summary>It has fired and is not armed any more.</summary>
    /// <returns>Whether there is still somebody to wake.</returns>
    public bool TryBegin()
    {
        _due = long.MaxValue;
        return !_isDisposed;
    }

    /// <summary>Wakes nobody from now on.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        _timer.Dispose();
    }
}
