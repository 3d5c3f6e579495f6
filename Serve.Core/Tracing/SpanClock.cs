namespace Serve.Core.Tracing;

/// <summary>
/// Gives timestamps their place in the world's time. Requests have timestamps only, which cost less to take; spans have the
/// time. The writer's.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class SpanClock(TimeProvider time)
{
    private const int Tries = 5;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly double _nanoseconds = 1e9 / time.TimestampFrequency;
    private long? _set;
    private long _timestamp;
    private ulong _unixNanoseconds;

    /// <summary>Sets it anew, if it is long enough ago: both clocks drift.</summary>
    public void Set()
    {
        if (_set is { } before && time.GetElapsedTime(before) < Interval) return;
        var least = long.MaxValue;
        for (var i = 0; i < Tries; i++)
        {
            // Whoever is interrupted between the two tries again.
            var timestamp = time.GetTimestamp();
            var now = time.GetUtcNow();
            var took = time.GetTimestamp() - timestamp;
            if (took >= least) continue;
            least = took;
            (_timestamp, _unixNanoseconds) = (timestamp, (ulong)(now - DateTimeOffset.UnixEpoch).Ticks * 100);
        }

        _set = _timestamp;
    }

    /// <summary>Nanoseconds since 1970 (UTC).</summary>
    public ulong NanosecondsOf(long timestamp) => _unixNanoseconds + (ulong)(long)((timestamp - _timestamp) * _nanoseconds);
}
