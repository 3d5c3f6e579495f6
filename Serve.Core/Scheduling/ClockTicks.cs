namespace Serve.Core.Scheduling;

/// <summary>Durations in the unit of a clock's timestamps, in which the hot path counts.</summary>
internal static class ClockTicks
{
    // So that a timestamp and a few of them can be added up.
    private const long Most = long.MaxValue / 4;

    /// <summary>The span in ticks of the clock's timestamps; a quarter of <see cref="long.MaxValue"/> at most.</summary>
    public static long TicksOf(this TimeProvider time, TimeSpan span) => (long)Math.Min(span.TotalSeconds * time.TimestampFrequency, Most);

    /// <summary>The span that so many ticks of the clock's timestamps are.</summary>
    public static TimeSpan SpanOf(this TimeProvider time, long ticks) => TimeSpan.FromSeconds(ticks / (double)time.TimestampFrequency);
}
