using Serve.Core.Handlers.Metrics;

namespace Serve.Core.Observability.Custom;

/// <summary>One metric of a version's handler, as it is exported. Not safe for several threads at once.</summary>
public sealed class CustomFamily
{
    private readonly Dictionary<string, CustomSeries> _series = new(StringComparer.Ordinal);

    internal CustomFamily(MetricMessage metric) => (Name, Type, Unit, Dimensions, Buckets) = (metric.Name, metric.Type, metric.Unit, metric.Dimensions, metric.Buckets ?? []);

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its kind.</summary>
    public MetricType Type { get; }

    /// <summary>What it counts, for people.</summary>
    public string Unit { get; }

    /// <summary>Names of its dimensions.</summary>
    public IReadOnlyList<string> Dimensions { get; }

    /// <summary>A histogram's upper limits, without the infinite one.</summary>
    public IReadOnlyList<double> Buckets { get; }

    /// <summary>Its series.</summary>
    public IReadOnlyCollection<CustomSeries> Series => _series.Values;

    /// <summary>Whether a worker tells of the same metric.</summary>
    internal bool IsLike(MetricMessage metric) =>
        Type == metric.Type && Dimensions.SequenceEqual(metric.Dimensions, StringComparer.Ordinal) && Buckets.SequenceEqual(metric.Buckets ?? []);

    /// <summary>Adds what a worker has counted; a gauge's series is the worker's own.</summary>
    internal void Add(MetricMessage metric, string worker)
    {
        foreach (var series in metric.Series)
        {
            var owner = Type == MetricType.Gauge ? worker : null;
            var key = string.Join('\u001f', owner is null ? series.Values : [.. series.Values, owner]);
            if (_series.TryGetValue(key, out var there)) _series[key] = there with { Value = there.Value + series.Value, Counts = Sum(there.Counts, series.Counts) };
            else if (_series.Count < MetricRules.MostSeries) _series.Add(key, new CustomSeries(series.Values, owner, series.Value, series.Counts ?? []));
        }
    }

    internal CustomFamily Copy()
    {
        var copy = new CustomFamily(new MetricMessage(Name, Type, Unit, Dimensions, Buckets, []));
        foreach (var (key, series) in _series) copy._series.Add(key, series);
        return copy;
    }

    private static long[] Sum(IReadOnlyList<long> a, IReadOnlyList<long>? b) => [.. a.Select((count, i) => count + (b is null ? 0 : b[i]))];
}

/// <summary>One series of a handler's metric.</summary>
/// <param name="Values">A value for each dimension.</param>
/// <param name="Worker">Whose it is; null: of all workers together.</param>
/// <param name="Value">A counter's or gauge's value, the sum of a histogram.</param>
/// <param name="Counts">A histogram's values by bucket, those above all limits last.</param>
public sealed record CustomSeries(IReadOnlyList<string> Values, string? Worker, double Value, IReadOnlyList<long> Counts);
