using System.Diagnostics;

namespace Serve.Benchmarks.Load;

/// <summary>What became of the requests of an open load.</summary>
/// <param name="start">Requests that were to arrive from here on count, as a timestamp.</param>
/// <param name="end">Until here.</param>
/// <param name="target">Until when an answer is of use.</param>
internal sealed class OpenResult(long start, long end, TimeSpan target)
{
    private readonly List<TimeSpan> _good = new(1 << 15);
    private readonly List<TimeSpan> _refused = new(1 << 15);
    private int _inTime;

    /// <summary>Requests.</summary>
    public int Count { get; private set; }

    /// <summary>Answers with 200 within the target, a second.</summary>
    public double InTimePerSecond => _inTime / Stopwatch.GetElapsedTime(start, end).TotalSeconds;

    /// <summary>Of all: answered with 503.</summary>
    public double RefusedPercent => 100.0 * _refused.Count / Math.Max(1, Count);

    /// <summary>Of all: answered with 200 too late, or with anything else.</summary>
    public double LatePercent => 100.0 * (Count - _inTime - _refused.Count) / Math.Max(1, Count);

    /// <summary>Of the answers with 200.</summary>
    public TimeSpan Median => Quantile(_good, 0.5);

    /// <summary>Of the same.</summary>
    public TimeSpan P99 => Quantile(_good, 0.99);

    /// <summary>Of the answers with 503; zero: there were none.</summary>
    public TimeSpan RefusedP99 => Quantile(_refused, 0.99);

    public void Add(int status, long scheduled, long now)
    {
        if (scheduled < start || scheduled >= end) return;
        var took = Stopwatch.GetElapsedTime(scheduled, now);
        Count++;
        if (status == 503) _refused.Add(took);
        if (status != 200) return;
        _good.Add(took);
        if (took <= target) _inTime++;
    }

    private static TimeSpan Quantile(List<TimeSpan> times, double part)
    {
        if (times.Count == 0) return TimeSpan.Zero;
        times.Sort();
        return times[(int)(part * (times.Count - 1))];
    }
}
