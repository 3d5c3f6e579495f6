using System.Numerics;

namespace Serve.Core.Observability;

/// <summary>
/// Which of the traced requests become exemplars. A scrape tells of the latest one of a bucket only, and making an exemplar
/// costs more than counting a request: so one a second is taken for each power of two of microseconds, which lets every
/// request pass that took twice as long as those before it. Safe from any thread: at worst two of a moment are taken.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class ExemplarGate(TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // When the latest of each was taken, as a timestamp; 0: never.
    private readonly long[] _taken = new long[BitOperations.Log2(ulong.MaxValue) + 1];

    /// <summary>Whether a request that took this long is taken.</summary>
    public bool Take(TimeSpan took)
    {
        ref var taken = ref _taken[BitOperations.Log2((ulong)Math.Max(1, (long)took.TotalMicroseconds))];
        var (now, before) = (time.GetTimestamp(), Volatile.Read(ref taken));
        if (before != 0 && time.GetElapsedTime(before, now) < Interval) return false;
        Volatile.Write(ref taken, now);
        return true;
    }
}
