namespace Serve.Core.Scheduling;

/// <summary>Which worker is best for what: the placing policy of the <see cref="Dispatcher"/>. Its lock, its hot path.</summary>
internal sealed class WorkerChoice(List<WorkerSlot> workers, int batchSize)
{
    /// <summary>A batch that should have ended by now is taken to need at least this share of its expected time yet.</summary>
    private const int OverdueShare = 4;

    /// <summary>One that takes this many times as long, and a full batch more, is not waited for.</summary>
    private const int StuckAfter = 4;

    /// <summary>How long the version's batches take.</summary>
    public BatchCostModel Cost { get; } = new(batchSize);

    /// <summary>The batches that have run.</summary>
    public BatchTally Executed { get; } = new(batchSize);

    /// <summary>The first answer of a batch says how long it took; its slot of the device is free.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="batch">The batch's number there.</param>
    /// <param name="spent">What it took by the worker's clock; without a time of its execution: as seen from here.</param>
    /// <param name="now">The time.</param>
    /// <returns>Whether it was the first.</returns>
    public bool Learn(WorkerSlot worker, long batch, BatchTicks spent, long now)
    {
        var running = worker.Running;
        for (var i = 0; i < running.Count; i++)
        {
            if (running[i].Number != batch) continue;
            if (spent.Execute <= 0) spent = spent with { Execute = now - running[i].BegunTimestamp };
            Cost.Learn(running[i].Rows, spent.Execute);
            Executed.Add(running[i].Rows, spent, now);
            running.RemoveAt(i);
            return true;
        }

        return false;
    }

    /// <summary>Its batch should have ended long ago: what it has says nothing about what others can do.</summary>
    public bool IsStuck(WorkerSlot worker, long now)
    {
        foreach (var batch in worker.Running)
        {
            var time = Cost.Mean(batch.Rows);
            if (now - batch.BegunTimestamp > StuckAfter * time + Cost.Mean(batchSize)) return true;
        }

        return false;
    }

    /// <summary>
    /// The ordinary worker with credit at which a request will begin soonest: an idle one, else the one that will be free
    /// first; among equals the one with the fewest rows, then the one that was there first. So requests gather at the worker
    /// that can take them next, as if they were bound to it only then.
    /// </summary>
    public WorkerSlot? SoonestFor(int rows, long now)
    {
        WorkerSlot? best = null;
        long bestStart = 0;
        foreach (var worker in workers)
        {
            if (!worker.IsOrdinary || !worker.HasCreditFor(rows)) continue;
            var start = worker.IsIdle ? long.MinValue : PredictStart(worker, rows, now);
            if (best is not null && (start > bestStart || (start == bestStart && worker.OutstandingRows >= best.OutstandingRows))) continue;
            best = worker;
            bestStart = start;
        }

        return best;
    }

    /// <summary>An ordinary worker that has nothing.</summary>
    public WorkerSlot? Free()
    {
        foreach (var worker in workers)
        {
            if (worker.IsOrdinary && worker.IsIdle) return worker;
        }

        return null;
    }

    /// <summary>The worker that has most to spare for one that idles; null: none idles, or none has anything to spare.</summary>
    public WorkerSlot? ToRecallFrom()
    {
        var idle = 0;
        WorkerSlot? loaded = null;
        foreach (var worker in workers)
        {
            if (worker.RecallPending) idle--; // what it returns is for one of the idle ones
            else if (!worker.IsOrdinary) continue;
            else if (worker.IsIdle) idle++;
            else if (worker.RecallWasFutile || !HasRowsToSpare(worker)) continue;
            else if (loaded is null || worker.UnbegunRows > loaded.UnbegunRows) loaded = worker;
        }

        return idle > 0 ? loaded : null;
    }

    /// <summary>It executes a batch, so the others wait; or it has more than its next batch takes.</summary>
    private bool HasRowsToSpare(WorkerSlot worker) => worker.UnbegunRows > (worker.Begun.Count > 0 ? 0 : batchSize);

    /// <summary>When a batch with these rows might begin: after what executes, and after the full batches that wait before it.</summary>
    private long PredictStart(WorkerSlot worker, int rows, long now)
    {
        long free;
        if (worker.Running.Count == 0)
        {
            free = now + Cost.Mean(Math.Min(worker.UnbegunRows, batchSize));
        }
        else
        {
            free = long.MaxValue;
            foreach (var batch in worker.Running) free = Math.Min(free, PredictEnd(batch, now));
        }

        var batchesBefore = (worker.UnbegunRows + rows - 1) / batchSize;
        return free + batchesBefore * Cost.Mean(batchSize);
    }

    /// <summary>A batch that is overdue is taken to need as long again as it is late: a stuck worker soon attracts nobody.</summary>
    public long PredictEnd(RunningBatch batch, long now)
    {
        var time = Cost.Mean(batch.Rows);
        var end = batch.BegunTimestamp + time;
        return Math.Max(end, now + Math.Max(time / OverdueShare, now - end));
    }
}
