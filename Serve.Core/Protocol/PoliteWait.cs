namespace Serve.Core.Protocol;

/// <summary>
/// Lets other threads run before one that waits for the next chunk sleeps. A peer that answers in microseconds has often
/// sent more by then, so a chunk holds more frames and fewer threads have to be woken: with 16 connections to a model
/// that does nothing, 15 % more answers on the thread pool. Where threads compute, the processor comes back only after
/// milliseconds: one such experience, and it sleeps at once for the next <see cref="Rest"/> chunks. For one thread.
/// </summary>
internal struct PoliteWait(TimeProvider time)
{
    /// <summary>Chunks without another try, after one that took long.</summary>
    public const int Rest = 1000;

    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(2);

    private int _rest;

    /// <summary>Call it before a wait.</summary>
    /// <param name="yield">Gives the processor away until it is this thread's turn again.</param>
    public void BeforeWaiting(Action yield)
    {
        if (_rest > 0)
        {
            _rest--;
            return;
        }

        var began = time.GetTimestamp();
        yield();
        if (time.GetElapsedTime(began) > Long) _rest = Rest;
    }
}
