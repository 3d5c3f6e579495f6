using Prometheus;

namespace Serve.Core.Observability;

/// <summary>Counts what one log has lost.</summary>
public sealed class LogMetrics
{
    private readonly Counter.Child _dropped;

    internal LogMetrics(Counter dropped, string log) => _dropped = dropped.WithLabels(log);

    /// <summary>Lines were not written.</summary>
    /// <param name="lines">How many.</param>
    public void Dropped(long lines) => _dropped.Inc(lines);
}
