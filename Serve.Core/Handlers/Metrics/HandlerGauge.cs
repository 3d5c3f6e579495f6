namespace Serve.Core.Handlers.Metrics;

/// <summary>A gauge of a handler's. Safe from any thread; allocates nothing for a series that is there.</summary>
public sealed class HandlerGauge
{
    private readonly HandlerMetrics _owner;
    private readonly MetricSeries _metric;

    internal HandlerGauge((HandlerMetrics Owner, MetricSeries Metric) declared) => (_owner, _metric) = declared;

    /// <summary>Says how much there is now.</summary>
    /// <param name="value">How much; finite.</param>
    /// <param name="values">A value for each dimension, in the order of their declaration.</param>
    /// <exception cref="ArgumentException">Not as many values as dimensions, or a value that is no finite number.</exception>
    public void Set(double value, params ReadOnlySpan<string> values)
    {
        if (!double.IsFinite(value)) throw new ArgumentOutOfRangeException(nameof(value), value, "A gauge's value must be finite.");
        _owner.Change(_metric, value, values);
    }
}
