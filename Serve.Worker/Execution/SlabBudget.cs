namespace Serve.Worker.Execution;

/// <summary>How many bytes the slabs of several pools may have together. Each pool asks before it makes one.</summary>
/// <param name="limitBytes">The most.</param>
internal sealed class SlabBudget(long limitBytes)
{
    private long _usedBytes;

    /// <summary>For a slab that rows can do without.</summary>
    /// <returns>False: it would be too much.</returns>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _usedBytes, bytes) <= limitBytes) return true;
        Return(bytes);
        return false;
    }

    /// <summary>For a slab that a batch must have: there are at most as many as batches execute.</summary>
    public void Take(long bytes) => Interlocked.Add(ref _usedBytes, bytes);

    public void Return(long bytes) => Interlocked.Add(ref _usedBytes, -bytes);
}
