namespace Serve.Core.Scheduling;

/// <summary>
/// When the answer to a request would come if it were taken in now: after what executes, after the full batches that the rows
/// before it make, and with its own batch. Part of the <see cref="Dispatcher"/>, under the same lock.
/// </summary>
/// <remarks>
/// It promises too much rather than too little: without enough measurements, without a worker, or while a worker is idle it
/// says nothing, so a guess or a stale figure never refuses anybody for longer than it takes to measure again.
/// </remarks>
internal sealed class WaitPrediction(List<WorkerSlot> workers, WorkerChoice choice, int batchSize, int instances)
{
    /// <summary>Requests that may wait while nothing is measured that says how many should.</summary>
    private const int UnmeasuredQueueSize = 100;

    private const int MostAutomaticQueueSize = 1_000_000;

    private readonly PredictionError _error = new();

    /// <summary>Device slots of workers that take ordinary requests.</summary>
    public int Slots
    {
        get
        {
            var slots = 0;
            foreach (var worker in workers)
            {
                if (worker is { IsDraining: false, Credit: > 0 }) slots += instances;
            }

            return slots;
        }
    }

    /// <summary>By how much answers come later than <see cref="TicksUntilAnswer"/> says, for nearly all of them.</summary>
    public long Margin => _error.Margin;

    /// <summary>How long the answer would take; 0: nobody can say, or there is no need to.</summary>
    /// <param name="rowsBefore">Rows that wait and go before it.</param>
    /// <param name="rows">Its own.</param>
    /// <param name="now">The time.</param>
    public long TicksUntilAnswer(int rowsBefore, int rows, long now)
    {
        if (!choice.Cost.HasEvidence) return 0;

        var slots = 0;
        var unbegun = 0;
        var residual = 0L;
        var soonest = long.MaxValue;
        foreach (var worker in workers)
        {
            if (!worker.IsOrdinary || choice.IsStuck(worker, now)) continue;
            if (worker.IsIdle && rowsBefore == 0) return 0;
            slots += instances;
            unbegun += worker.UnbegunRows;
            if (worker.Running.Count < instances) soonest = 0;
            foreach (var batch in worker.Running)
            {
                var left = choice.PredictEnd(batch, now) - now;
                residual += left;
                soonest = Math.Min(soonest, left);
            }
        }

        if (slots == 0) return 0;

        var before = rowsBefore + unbegun;
        var full = choice.Cost.Mean(batchSize);
        var start = before < batchSize ? soonest : residual / slots + before / batchSize / slots * full;
        return start + (before < batchSize ? choice.Cost.Mean(before + rows) : full);
    }

    /// <summary>A request of which the answer was predicted has it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="end">When; <see cref="long.MaxValue"/> for one that was given up, because it would have been late.</param>
    public void Learn(ScheduledRequest request, long end)
    {
        if (request.PredictedTimestamp == 0) return;
        _error.Learn(end - request.PredictedTimestamp, choice.Cost.Mean(batchSize) / (double)batchSize);
        request.PredictedTimestamp = 0;
    }

    /// <summary>
    /// How many may wait so that the last of them is answered within the target: what the device slots serve in that time, less
    /// what the workers have. Never less than a batch.
    /// </summary>
    public int QueueSizeFor(long targetTicks)
    {
        var slots = Slots;
        var full = choice.Cost.Mean(batchSize);
        if (!choice.Cost.HasEvidence || slots == 0 || full == 0) return UnmeasuredQueueSize;

        var served = targetTicks / (double)full * batchSize * slots;
        foreach (var worker in workers)
        {
            if (worker is { IsDraining: false, Credit: > 0 }) served -= worker.Credit;
        }

        return (int)Math.Clamp(served, Math.Min(batchSize, MostAutomaticQueueSize), MostAutomaticQueueSize);
    }
}
