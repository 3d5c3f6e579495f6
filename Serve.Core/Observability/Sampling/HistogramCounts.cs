namespace Serve.Core.Observability.Sampling;

/// <summary>What a histogram has counted: how many observations fell into each of its buckets. Immutable.</summary>
/// <param name="Bounds">Upper bounds of the buckets, inclusive, ascending; the last one may be infinite.</param>
/// <param name="Counts">Observations in each bucket alone, not in those below it.</param>
public sealed record HistogramCounts(IReadOnlyList<double> Bounds, IReadOnlyList<long> Counts)
{
    /// <summary>A histogram without buckets.</summary>
    public static HistogramCounts Empty { get; } = new([], []);

    /// <summary>All observations.</summary>
    public long Total => Counts.Sum();

    /// <summary>What was observed between two readings of one histogram.</summary>
    /// <param name="later">The later reading.</param>
    /// <param name="earlier">The earlier one; a histogram with other buckets, such as <see cref="Empty"/>, counts as nothing.</param>
    public static HistogramCounts operator -(HistogramCounts later, HistogramCounts earlier)
    {
        ArgumentNullException.ThrowIfNull(later);
        ArgumentNullException.ThrowIfNull(earlier);
        return earlier.Bounds.Count == later.Bounds.Count ? later with { Counts = [.. later.Counts.Zip(earlier.Counts, static (a, b) => Math.Max(0, a - b))] } : later;
    }

    /// <summary>What two histograms with the same buckets have counted; <see cref="Empty"/> adds nothing.</summary>
    /// <param name="one">One.</param>
    /// <param name="other">The other.</param>
    public static HistogramCounts operator +(HistogramCounts one, HistogramCounts other)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);
        if (one.Bounds.Count == 0) return other;
        return other.Bounds.Count == 0 ? one : one with { Counts = [.. one.Counts.Zip(other.Counts, static (a, b) => a + b)] };
    }

    /// <summary>
    /// The value that a share of the observations does not exceed, interpolated within its bucket as Prometheus's
    /// <c>histogram_quantile</c> does; in the last, infinite bucket: its lower bound.
    /// </summary>
    /// <param name="share">0 to 1.</param>
    /// <returns>In the histogram's unit; null if nothing was observed.</returns>
    public double? Quantile(double share)
    {
        var total = Total;
        if (total == 0) return null;
        var rank = share * total;
        long below = 0;
        for (var i = 0; i < Counts.Count; i++)
        {
            if (Counts[i] == 0 || below + Counts[i] < rank)
            {
                below += Counts[i];
                continue;
            }

            var lower = i == 0 ? 0 : Bounds[i - 1];
            return double.IsPositiveInfinity(Bounds[i]) ? lower : lower + ((Bounds[i] - lower) * Math.Max(0, rank - below) / Counts[i]);
        }

        return Bounds[^1];
    }
}
