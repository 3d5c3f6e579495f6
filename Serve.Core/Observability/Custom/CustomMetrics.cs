using Serve.Core.Handlers.Metrics;

namespace Serve.Core.Observability.Custom;

/// <summary>
/// The metrics that the handler of one version tells of: counters and histograms of all its workers together, also of those
/// that have left; gauges of each worker. What a worker says is checked again, for its code is a stranger's.
/// </summary>
public sealed class CustomMetrics
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, IReadOnlyList<MetricMessage>> _live = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CustomFamily> _ended = new(StringComparer.Ordinal);

    /// <summary>What a worker's gauge said.</summary>
    /// <param name="worker">The worker's id.</param>
    /// <param name="metrics">Its handler's metrics.</param>
    /// <returns>Why some were left out; null if none were.</returns>
    internal string? Update(string worker, IReadOnlyList<MetricMessage> metrics)
    {
        string? fault = null;
        var taken = new List<MetricMessage>();
        var series = 0;
        foreach (var metric in metrics)
        {
            var wrong = FaultOf(metric) ?? (taken.Count == MetricRules.MostMetrics || series + metric.Series.Count > MetricRules.MostSeries ? $"'{metric.Name}' is one too many" : null);
            fault ??= wrong;
            if (wrong is not null) continue;
            taken.Add(metric);
            series += metric.Series.Count;
        }

        lock (_gate) _live[worker] = taken;
        return fault;
    }

    /// <summary>A worker has left. What it counted stays counted, but for metrics beyond those that one handler may have.</summary>
    /// <param name="worker">The worker's id.</param>
    internal void Remove(string worker)
    {
        lock (_gate)
        {
            if (!_live.Remove(worker, out var metrics)) return;
            foreach (var metric in metrics.Where(metric => metric.Type != MetricType.Gauge))
            {
                // A handler whose metrics have other names in each life must not fill the memory.
                if (_ended.Count < MetricRules.MostMetrics || _ended.ContainsKey(metric.Name)) FamilyOf(_ended, metric)?.Add(metric, worker);
            }
        }
    }

    /// <summary>The families now, for a scrape.</summary>
    public IReadOnlyList<CustomFamily> Collect()
    {
        lock (_gate)
        {
            var families = _ended.ToDictionary(family => family.Key, family => family.Value.Copy(), StringComparer.Ordinal);
            foreach (var (worker, metrics) in _live)
            {
                foreach (var metric in metrics) FamilyOf(families, metric)?.Add(metric, worker);
            }

            return [.. families.Values.OrderBy(family => family.Name, StringComparer.Ordinal)];
        }
    }

    // Null: an older worker's handler has declared that name as something else.
    private static CustomFamily? FamilyOf(Dictionary<string, CustomFamily> families, MetricMessage metric)
    {
        if (!families.TryGetValue(metric.Name, out var family)) families.Add(metric.Name, family = new CustomFamily(metric));
        return family.IsLike(metric) ? family : null;
    }

    private static string? FaultOf(MetricMessage metric)
    {
        if (MetricRules.FaultOf(metric.Name, metric.Unit, metric.Dimensions) is { } fault) return fault;
        if (!Enum.IsDefined(metric.Type)) return $"'{metric.Name}' is of an unknown kind";
        if (metric.Type == MetricType.Histogram && (metric.Buckets is null ? "it has no buckets" : MetricRules.FaultOf(metric.Name, metric.Buckets)) is { } wrong) return $"'{metric.Name}': {wrong}";
        return metric.Series.All(series => IsRight(metric, series)) ? null : $"a series of '{metric.Name}' does not fit its declaration";
    }

    private static bool IsRight(MetricMessage metric, SeriesMessage series) =>
        series.Values.Count == metric.Dimensions.Count
        && series.Values.All(value => value is { Length: <= MetricRules.LongestText })
        && double.IsFinite(series.Value)
        && (metric.Type != MetricType.Histogram || (series.Counts is { } counts && counts.Count == metric.Buckets!.Count + 1 && counts.All(count => count >= 0)));
}
