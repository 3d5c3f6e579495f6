namespace Serve.Core.Handlers.Metrics;

/// <summary>
/// A handler's own metrics. Declare them in <c>Load</c>, keep what comes back, and use it from any thread: the worker sends
/// them with its heartbeat, and the server exports them with the labels <c>model</c> and <c>version</c>.
/// </summary>
/// <remarks>
/// A declaration that <see cref="MetricRules"/> forbids throws. Series beyond <see cref="MetricRules.MostSeries"/> are left
/// out and counted: a dimension with values without end must not take the server's memory.
/// </remarks>
public sealed class HandlerMetrics
{
    private static readonly double[] DefaultBuckets = [.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10];

    private readonly Lock _gate = new();
    private readonly Dictionary<string, MetricSeries> _metrics = new(StringComparer.Ordinal);
    private int _series;
    private long _leftOut;
    private int _changes;
    private int _sent;

    /// <summary>Values that were not counted because their series would have been one too many.</summary>
    public long LeftOut => Interlocked.Read(ref _leftOut);

    /// <summary>A counter: how often something happened, or how much of it.</summary>
    /// <param name="name">Its name; by Prometheus's custom it ends in <c>_total</c>.</param>
    /// <param name="unit">What it counts, for people: <c>requests</c>, <c>bytes</c>.</param>
    /// <param name="dimensions">Names of what its values are told apart by; few values each.</param>
    /// <exception cref="ArgumentException">A name that is not allowed, one metric too many, or the name stands for another kind of metric.</exception>
    public HandlerCounter Counter(string name, string unit = "", params IReadOnlyList<string> dimensions) => new(Declare(name, MetricType.Counter, unit, dimensions, []));

    /// <summary>A gauge: how much of something there is now.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="unit">What it counts, for people.</param>
    /// <param name="dimensions">Names of what its values are told apart by; few values each.</param>
    /// <exception cref="ArgumentException">As <see cref="Counter"/>.</exception>
    public HandlerGauge Gauge(string name, string unit = "", params IReadOnlyList<string> dimensions) => new(Declare(name, MetricType.Gauge, unit, dimensions, []));

    /// <summary>A histogram: how values are distributed.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="unit">What it measures, for people.</param>
    /// <param name="buckets">Upper limits of its buckets, ascending; null: from 5 ms to 10 s, if values are seconds.</param>
    /// <param name="dimensions">Names of what its values are told apart by; few values each.</param>
    /// <exception cref="ArgumentException">As <see cref="Counter"/>, or buckets that are not allowed.</exception>
    public HandlerHistogram Histogram(string name, string unit = "", IReadOnlyList<double>? buckets = null, params IReadOnlyList<string> dimensions) =>
        new(Declare(name, MetricType.Histogram, unit, dimensions, [.. buckets ?? DefaultBuckets]));

    /// <summary>What is to be told to the server; null if nothing has changed since it was told.</summary>
    internal IReadOnlyList<MetricMessage>? TakeChanges()
    {
        lock (_gate)
        {
            if (_changes == _sent) return null;
            _sent = _changes;
            return [.. _metrics.Values.Select(metric => metric.ToMessage())];
        }
    }

    /// <summary>Changes something, under the lock that all of a handler's metrics share: each change takes nanoseconds.</summary>
    internal void Change(MetricSeries metric, double value, ReadOnlySpan<string> values)
    {
        lock (_gate)
        {
            _changes++;
            if (metric.Apply(value, values, mayAdd: _series < MetricRules.MostSeries, out var isNew))
            {
                if (isNew) _series++;
                return;
            }
        }

        Interlocked.Increment(ref _leftOut);
    }

    private (HandlerMetrics, MetricSeries) Declare(string name, MetricType type, string unit, IReadOnlyList<string> dimensions, double[] buckets)
    {
        if ((MetricRules.FaultOf(name, unit, dimensions) ?? (type == MetricType.Histogram ? MetricRules.FaultOf(name, buckets) : null)) is { } fault) throw new ArgumentException(fault);
        lock (_gate)
        {
            var declared = new MetricSeries(name, type, unit, [.. dimensions], buckets);
            if (_metrics.TryGetValue(name, out var there)) return there.IsLike(declared) ? (this, there) : throw new ArgumentException($"'{name}' is declared already, as another kind of metric");
            if (_metrics.Count == MetricRules.MostMetrics) throw new ArgumentException($"'{name}' is one metric too many; a handler has at most {MetricRules.MostMetrics}");
            _metrics.Add(name, declared);
            return (this, declared);
        }
    }
}
