namespace Serve.Core.Handlers.Metrics;

/// <summary>A histogram of a handler's. Safe from any thread; allocates nothing for a series that is there.</summary>
public sealed class HandlerHistogram
{
    private readonly HandlerMetrics _owner;
    private readonly MetricSeries _metric;

    internal HandlerHistogram((HandlerMetrics Owner, MetricSeries Metric) declared) => (_owner, _metric) = declared;

    /// <summary>Counts a value in its bucket.</summary>
    /// <param name="value">The value; finite.</param>
    /// <param name="values">A value for each dimension, in the order of their declaration.</param>
    /// <exception cref="ArgumentException">Not as many values as dimensions, or a value that is no finite number.</exception>
    public void Observe(double value, params ReadOnlySpan<string> values)
    {
        if (!double.IsFinite(value)) throw new ArgumentOutOfRangeException(nameof(value), value, "A histogram's values must be finite.");
        _owner.Change(_metric, value, values);
    }
}
