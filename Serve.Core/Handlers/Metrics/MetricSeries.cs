namespace Serve.Core.Handlers.Metrics;

/// <summary>One metric of a handler with its series. Its owner's lock guards it.</summary>
internal sealed class MetricSeries(string name, MetricType type, string unit, string[] dimensions, double[] buckets)
{
    private readonly Dictionary<string[], Series> _series = new(new LabelComparer());

    /// <summary>Whether it is declared as another is.</summary>
    public bool IsLike(MetricSeries other) =>
        (Type, unit) == (other.Type, other.Unit) && dimensions.SequenceEqual(other.Dimensions) && buckets.SequenceEqual(other.Buckets);

    private MetricType Type => type;

    private string Unit => unit;

    private string[] Dimensions => dimensions;

    private double[] Buckets => buckets;

    /// <summary>Adds to a counter, sets a gauge, observes in a histogram.</summary>
    /// <returns>Whether the series is there; false: it would be a new one, and may not be.</returns>
    /// <exception cref="ArgumentException">Not as many values as dimensions.</exception>
    public bool Apply(double value, ReadOnlySpan<string> values, bool mayAdd, out bool isNew)
    {
        if (values.Length != dimensions.Length) throw new ArgumentException($"'{name}' has {dimensions.Length} dimensions ({string.Join(", ", dimensions)}), and {values.Length} values were given");
        isNew = false;
        if (!_series.GetAlternateLookup<ReadOnlySpan<string>>().TryGetValue(values, out var series))
        {
            if (!mayAdd) return false;
            isNew = true;
            var labels = new string[values.Length];
            for (var i = 0; i < labels.Length; i++) labels[i] = MetricRules.Value(values[i] ?? "");
            if (_series.TryGetValue(labels, out series)) isNew = false; // the same as another after it was shortened
            else _series.Add(labels, series = new Series { Counts = type == MetricType.Histogram ? new long[buckets.Length + 1] : null });
        }

        if (series.Counts is { } counts) counts[BucketOf(value)]++;
        series.Value = type == MetricType.Gauge ? value : Sum(series.Value, value);
        return true;
    }

    public MetricMessage ToMessage() => new(
        name, type, unit, dimensions, type == MetricType.Histogram ? buckets : null,
        [.. _series.Select(series => new SeriesMessage(series.Key, series.Value.Value, series.Value.Counts is { } counts ? [.. counts] : null))]);

    // What is sent must be a number: JSON has no infinity.
    private static double Sum(double value, double added) => Math.Clamp(value + added, double.MinValue, double.MaxValue);

    private int BucketOf(double value)
    {
        var at = 0;
        while (at < buckets.Length && value > buckets[at]) at++;
        return at;
    }

    private sealed class Series
    {
        public double Value { get; set; }

        public long[]? Counts { get; init; }
    }

    // By the values themselves, also in a span: looking a series up allocates nothing.
    private sealed class LabelComparer : IEqualityComparer<string[]>, IAlternateEqualityComparer<ReadOnlySpan<string>, string[]>
    {
        public bool Equals(string[]? x, string[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(string[] labels) => GetHashCode(labels.AsSpan());

        public bool Equals(ReadOnlySpan<string> alternate, string[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<string> alternate)
        {
            var hash = new HashCode();
            foreach (var value in alternate) hash.Add(value, StringComparer.Ordinal);
            return hash.ToHashCode();
        }

        public string[] Create(ReadOnlySpan<string> alternate) => alternate.ToArray();
    }
}
