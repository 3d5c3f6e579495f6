namespace Serve.Core.Workers;

/// <summary>
/// The workers that frames were gathered for since the scheduler's lock was taken: once it is released, their senders have
/// something to send. Belongs to that lock. Hot path.
/// </summary>
internal sealed class TouchedWorkers
{
    private readonly List<IRequestTarget> _workers = [];

    /// <summary>Frames for this worker were gathered.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="wasIdle">Whether it had nothing before the first of them.</param>
    public void Add(IRequestTarget worker, bool wasIdle)
    {
        if (worker.IsTouched) return;
        worker.IsTouched = true;
        worker.WasIdle = wasIdle;
        _workers.Add(worker);
    }

    /// <summary>Empties the list. The caller flushes what it gets when it has released the lock.</summary>
    public GatheredFrames Take()
    {
        switch (_workers.Count)
        {
            case 0:
                return default;
            case 1:
                var only = _workers[0];
                only.IsTouched = false;
                _workers.Clear();
                return new GatheredFrames(only, only.WasIdle, null);
            default:
                var all = _workers.ToArray();
                foreach (var worker in all) worker.IsTouched = false;
                _workers.Clear();
                return new GatheredFrames(null, false, all);
        }
    }
}

/// <summary>Workers whose senders have something to send.</summary>
/// <param name="Only">The only one; null: none, or several.</param>
/// <param name="WasIdle">Whether the only one had nothing before.</param>
/// <param name="Many">Several.</param>
internal readonly record struct GatheredFrames(IRequestTarget? Only, bool WasIdle, IRequestTarget[]? Many)
{
    /// <summary>Whether the frames cannot wait for a busy worker's next answer to take them along.</summary>
    public bool AreUrgent => WasIdle || Many is not null;

    /// <summary>
    /// Sends. A request's thread sends itself only to a worker that had nothing: the shortest way. To a busy one the
    /// sender's thread sends, so that frames of many requests leave in one system call.
    /// </summary>
    /// <param name="evenIfBusy">Whether this thread sends to busy workers too.</param>
    public void Flush(bool evenIfBusy)
    {
        Only?.Flush(onThisThread: evenIfBusy || WasIdle);
        if (Many is null) return;
        foreach (var worker in Many) worker.Flush(onThisThread: evenIfBusy);
    }
}
