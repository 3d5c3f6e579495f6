namespace Serve.Core.Handlers.Metrics;

/// <summary>A counter of a handler's. Safe from any thread; allocates nothing for a series that is there.</summary>
public sealed class HandlerCounter
{
    private readonly HandlerMetrics _owner;
    private readonly MetricSeries _metric;

    internal HandlerCounter((HandlerMetrics Owner, MetricSeries Metric) declared) => (_owner, _metric) = declared;

    /// <summary>Counts one.</summary>
    /// <param name="values">A value for each dimension, in the order of their declaration.</param>
    /// <exception cref="ArgumentException">Not as many values as dimensions.</exception>
    public void Increment(params ReadOnlySpan<string> values) => _owner.Change(_metric, 1, values);

    /// <summary>Counts.</summary>
    /// <param name="amount">How much; finite, and not negative.</param>
    /// <param name="values">A value for each dimension, in the order of their declaration.</param>
    /// <exception cref="ArgumentException">Not as many values as dimensions, or an amount that a counter cannot take.</exception>
    public void Add(double amount, params ReadOnlySpan<string> values)
    {
        if (!double.IsFinite(amount) || amount < 0) throw new ArgumentOutOfRangeException(nameof(amount), amount, "A counter only grows.");
        _owner.Change(_metric, amount, values);
    }
}
