namespace Serve.Core.Scheduling;

/// <summary>
/// The sizes in which batches are executed, where it is not any: what CUDA graphs were recorded for, or engines tuned for. What
/// no request fills of a size is padding. Immutable.
/// </summary>
public sealed class BatchBuckets
{
    private readonly int[] _sizes;

    private BatchBuckets(int[] sizes) => _sizes = sizes;

    /// <summary>Batches of every size are executed as they are.</summary>
    public static BatchBuckets Any { get; } = new([]);

    /// <summary>Whether there is no padding.</summary>
    public bool IsAny => _sizes.Length == 0;

    /// <summary>Ascending; none where every size is executed as it is.</summary>
    public ReadOnlySpan<int> Sizes => _sizes;

    /// <summary>Batches of these sizes only.</summary>
    /// <param name="sizes">From 1, at least one; the largest is the largest batch.</param>
    public static BatchBuckets Of(IEnumerable<int> sizes)
    {
        int[] ascending = [.. sizes.Distinct().Order()];
        ArgumentOutOfRangeException.ThrowIfZero(ascending.Length, nameof(sizes));
        ArgumentOutOfRangeException.ThrowIfLessThan(ascending[0], 1, nameof(sizes));
        return new BatchBuckets(ascending);
    }

    /// <summary>What is executed for so many rows: the smallest size that holds them. A single request of more than the largest one is executed as it is.</summary>
    public int SizeOf(int rows)
    {
        foreach (var size in _sizes)
        {
            if (size >= rows) return size;
        }

        return rows;
    }
}
