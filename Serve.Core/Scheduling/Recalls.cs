namespace Serve.Core.Scheduling;

/// <summary>
/// When workers are asked to give back rows that they have not begun: for another that idles, for a worker that is to become
/// free for suspects, from one that drains. Part of the <see cref="Dispatcher"/>, under the same lock. Hot path.
/// </summary>
/// <param name="workers">The workers.</param>
/// <param name="choice">What is known of them.</param>
/// <param name="quarantine">The suspects.</param>
/// <param name="minBatchTime">From what batch time on a recall for an idle worker pays, in ticks; <see cref="long.MaxValue"/>: never.</param>
/// <param name="sink">Carries it out.</param>
internal sealed class Recalls(List<WorkerSlot> workers, WorkerChoice choice, Quarantine quarantine, long minBatchTime, IDispatchSink sink)
{
    /// <summary>
    /// While a worker idles and nobody waits in line, rows that another has not begun are better off there: half of those of
    /// the most loaded one. A worker that is to become idle for a group of suspects does so sooner when others take what it
    /// has not begun.
    /// </summary>
    /// <param name="anyQueued">Whether somebody waits in line.</param>
    public void ForIdle(bool anyQueued)
    {
        if (workers.Count < 2) return;

        if (quarantine.HasWaiting) FromReserved();
        if (anyQueued || choice.Cost.Typical < minBatchTime) return;
        if (choice.ToRecallFrom() is { } loaded) Recall(loaded, (loaded.UnbegunRows + 1) / 2);
    }

    /// <summary>Has what this worker has not begun run elsewhere, if there is anybody else.</summary>
    public void All(WorkerSlot worker)
    {
        if (worker.RecallPending || worker.UnbegunRows == 0) return;
        foreach (var other in workers)
        {
            if (other == worker || !other.IsOrdinary) continue;
            Recall(worker, worker.UnbegunRows);
            return;
        }
    }

    private void FromReserved()
    {
        foreach (var worker in workers)
        {
            if (worker is { IsReserved: true, IsIsolating: false, RecallWasFutile: false }) All(worker);
        }
    }

    private void Recall(WorkerSlot worker, int rows)
    {
        worker.RecallPending = true;
        sink.Recall(worker, rows);
    }
}
