using System.Diagnostics;

namespace Serve.Benchmarks.Load;

/// <summary>What one run of a load has seen.</summary>
/// <param name="duration">How long it lasted; answers that came after it count for nothing but <see cref="Answers"/>.</param>
internal sealed class LoadResult(TimeSpan duration)
{
    private readonly List<long> _latencies = new(1 << 17);
    private bool _isSorted;

    /// <summary>All answers, also those that came after the end: for costs per request.</summary>
    public int Answers { get; private set; }

    /// <summary>Answers that were not 200.</summary>
    public int Errors { get; private set; }

    /// <summary>Good answers per second.</summary>
    public double PerSecond => _latencies.Count / duration.TotalSeconds;

    /// <summary>The median from the request's first byte sent to the answer's last byte received.</summary>
    public TimeSpan Median => Quantile(0.5);

    /// <summary>The 99th percentile of the same.</summary>
    public TimeSpan P99 => Quantile(0.99);

    public void Add(int status, long latencyTicks, bool isWithin)
    {
        Answers++;
        if (status != 200) Errors++;
        else if (isWithin) _latencies.Add(latencyTicks);
    }

    private TimeSpan Quantile(double part)
    {
        if (_latencies.Count == 0) return TimeSpan.Zero;
        if (!_isSorted) _latencies.Sort();
        _isSorted = true;
        return Stopwatch.GetElapsedTime(0, _latencies[(int)(part * (_latencies.Count - 1))]);
    }
}
