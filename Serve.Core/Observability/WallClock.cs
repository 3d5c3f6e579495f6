namespace Serve.Core.Observability;

/// <summary>
/// Gives timestamps their place in the world's time. Whatever happens to a request has a timestamp, which costs less to take
/// than the time; spans and the access log have the time. Safe from any thread.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class WallClock(TimeProvider time)
{
    private const int Tries = 5;

    // A second: both clocks drift, and the world's may be set.
    private readonly long _interval = time.TimestampFrequency;
    private readonly double _nanoseconds = 1e9 / time.TimestampFrequency;
    private readonly double _ticks = (double)TimeSpan.TicksPerSecond / time.TimestampFrequency;
    private volatile Reading? _reading;

    /// <summary>Reads both clocks anew, if it is long enough ago. Between two calls <see cref="NanosecondsOf"/> goes by the same reading.</summary>
    public void Set()
    {
        if (_reading is not { } last || time.GetTimestamp() - last.Timestamp >= _interval) Read();
    }

    /// <summary>Nanoseconds since 1970 (UTC).</summary>
    /// <param name="timestamp">Of the clock.</param>
    public ulong NanosecondsOf(long timestamp)
    {
        var at = _reading ?? Read();
        return (ulong)((at.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) * TimeSpan.NanosecondsPerTick) + (ulong)(long)((timestamp - at.Timestamp) * _nanoseconds);
    }

    /// <summary>The time (UTC), by a reading that is not older than a second. Hot path.</summary>
    /// <param name="timestamp">Of the clock.</param>
    public DateTimeOffset TimeOf(long timestamp)
    {
        var at = _reading is { } last && timestamp - last.Timestamp < _interval ? last : Read();
        return new DateTimeOffset(at.UtcTicks + (long)((timestamp - at.Timestamp) * _ticks), TimeSpan.Zero);
    }

    private Reading Read()
    {
        Reading? best = null;
        var least = long.MaxValue;
        for (var i = 0; i < Tries; i++)
        {
            // Whoever is interrupted between the two tries again.
            var timestamp = time.GetTimestamp();
            var now = time.GetUtcNow();
            var took = time.GetTimestamp() - timestamp;
            if (took >= least) continue;
            least = took;
            best = new Reading(timestamp, now.UtcTicks);
        }

        return _reading = best!;
    }

    private sealed record Reading(long Timestamp, long UtcTicks);
}
