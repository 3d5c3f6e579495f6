namespace Serve.Core.Scheduling;

/// <summary>What to execute next where batches only come in certain sizes.</summary>
/// <param name="Bucket">The size that is executed; what no request fills is padding.</param>
/// <param name="Rows">How many of the rows that are ready go into it; the others wait for the next batch.</param>
public readonly record struct BucketSelection(int Bucket, int Rows);

/// <summary>
/// Chooses among the batch sizes that CUDA graphs or engines were made for: the one with the least measured cost for each
/// request that it serves, whether that pads up or leaves some for the next batch. Always padding up makes devices compute
/// nothing for nobody, and that raises everybody's latency. Pure.
/// </summary>
public static class BucketChoice
{
    /// <summary>Chooses.</summary>
    /// <param name="ready">Rows that are ready, at least 1.</param>
    /// <param name="buckets">The sizes, ascending; the last is the largest batch.</param>
    /// <param name="costs">What a batch of each takes, in any unit; 0: not measured yet.</param>
    public static BucketSelection Choose(int ready, ReadOnlySpan<int> buckets, ReadOnlySpan<long> costs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ready, 1);
        if (buckets.IsEmpty || buckets.Length != costs.Length) throw new ArgumentException($"{buckets.Length} buckets and {costs.Length} costs; give at least one, and as many of each.", nameof(costs));

        // From the largest down: of two that cost the same for each request, the one that serves more.
        var best = -1;
        var bestRows = 0;
        for (var i = buckets.Length - 1; i >= 0; i--)
        {
            if (i > 0 && buckets[i - 1] >= ready) continue; // a smaller one holds them all; a larger one only pads more
            if (costs[i] <= 0) return new BucketSelection(buckets[i], Math.Min(ready, buckets[i])); // tried out, and so measured

            var rows = Math.Min(ready, buckets[i]);
            if (best < 0 || (Int128)costs[i] * bestRows < (Int128)costs[best] * rows)
            {
                best = i;
                bestRows = rows;
            }
        }

        return new BucketSelection(buckets[best], bestRows);
    }
}
