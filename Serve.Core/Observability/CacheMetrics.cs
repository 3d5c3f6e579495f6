using Prometheus;

namespace Serve.Core.Observability;

/// <summary>The series of one version's response cache; made where there is one.</summary>
internal sealed class CacheMetrics : IDisposable
{
    private readonly Counter.Child _hits;
    private readonly Counter.Child _misses;
    private readonly Counter.Child _joined;
    private readonly Counter.Child _evictions;
    private readonly Gauge.Child _bytes;
    private readonly Gauge.Child _answers;
    private long _hitCount;
    private long _hitTicks;
    private long _missCount;
    private long _missTicks;

    public CacheMetrics(string model, string version)
    {
        _hits = ServeMetrics.CacheHits.WithLabels(model, version);
        _misses = ServeMetrics.CacheMisses.WithLabels(model, version);
        _joined = ServeMetrics.CacheJoined.WithLabels(model, version);
        _evictions = ServeMetrics.CacheEvictions.WithLabels(model, version);
        _bytes = ServeMetrics.CacheBytes.WithLabels(model, version);
        _answers = ServeMetrics.CacheAnswers.WithLabels(model, version);
    }

    /// <summary>Requests that were not executed: answered from memory, or by another's answer; and how long that took.</summary>
    public Tally Hits => new(Interlocked.Read(ref _hitCount), TimeSpan.FromTicks(Interlocked.Read(ref _hitTicks)));

    /// <summary>Requests that were executed, and how long looking for their answer took.</summary>
    public Tally Misses => new(Interlocked.Read(ref _missCount), TimeSpan.FromTicks(Interlocked.Read(ref _missTicks)));

    /// <summary>A request was answered from memory.</summary>
    public void Hit(TimeSpan time)
    {
        _hits.Inc();
        Count(ref _hitCount, ref _hitTicks, time);
    }

    /// <summary>A request was answered by another's answer.</summary>
    public void Joined(TimeSpan time)
    {
        _joined.Inc();
        Count(ref _hitCount, ref _hitTicks, time);
    }

    /// <summary>A request has to run.</summary>
    public void Missed(TimeSpan time)
    {
        _misses.Inc();
        Count(ref _missCount, ref _missTicks, time);
    }

    /// <summary>So many answers had to go.</summary>
    public void Evicted(int answers)
    {
        if (answers > 0) _evictions.Inc(answers);
    }

    /// <summary>What is kept now.</summary>
    public void SetSize(long bytes, int answers)
    {
        _bytes.Set(bytes);
        _answers.Set(answers);
    }

    /// <summary>Takes the series out of the scrape.</summary>
    public void Dispose()
    {
        foreach (var counter in (Counter.Child[])[_hits, _misses, _joined, _evictions]) counter.Remove();
        foreach (var gauge in (Gauge.Child[])[_bytes, _answers]) gauge.Remove();
    }

    private static void Count(ref long count, ref long ticks, TimeSpan time)
    {
        Interlocked.Increment(ref count);
        Interlocked.Add(ref ticks, time.Ticks);
    }
}
