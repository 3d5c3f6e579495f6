namespace Serve.Core.Scheduling;

/// <summary>
/// When the answer to a request would come if it were taken in now: after what executes, after the full batches that the rows
/// before it make, and with its own batch. Part of the <see cref="Dispatcher"/>, under the same lock.
/// </summary>
/// <remarks>
/// It promises too much rather than too little: without enough measurements, without a worker, or while a worker is idle it
/// says nothing, so a guess or a stale figure never refuses anybody for longer than it takes to measure again.
/// </remarks>
internal sealed class WaitPrediction(List<WorkerSlot> workers, WorkerChoice choice, int batchSize, int instances, long marginHalfLife, long slack)
{
    /// <summary>Requests that may wait while nothing is measured that says how many should.</summary>
    private const int UnmeasuredQueueSize = 100;

    private const int MostAutomaticQueueSize = 1_000_000;

    private readonly PredictionError _error = new(marginHalfLife);
    private bool _isOff;

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

    /// <summary>Whether streamed answers have turned it off.</summary>
    public bool IsOff => _isOff;

    /// <summary>By how much answers come later than <see cref="TicksUntilAnswer"/> says, for nearly all of them.</summary>
    public long MarginAt(long now) => _error.MarginAt(now);

    /// <summary>
    /// How long the answer to a request will take that is being taken in, with the margin that keeps the promise; 0: nobody can
    /// say, or there is no need to. It is remembered, for <see cref="Learn"/>.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="rowsBefore">Rows that wait and go before it.</param>
    /// <param name="now">The time.</param>
    public long Promise(ScheduledRequest request, int rowsBefore, long now)
    {
        if (_isOff) return 0;

        var ticks = TicksUntilAnswer(rowsBefore, request.Rows, now);
        if (ticks == 0) return 0;

        request.PredictedTimestamp = now + ticks;
        return ticks + MarginAt(now);
    }

    /// <summary>Nothing is promised from now on: how long a streamed answer takes is its own affair.</summary>
    /// <param name="streamed">The request that is answered in parts.</param>
    public void TurnOff(ScheduledRequest streamed)
    {
        _isOff = true;
        streamed.PredictedTimestamp = 0;
    }

    /// <summary>How long the answer would take; 0: nobody can say, or there is no need to.</summary>
    /// <param name="rowsBefore">Rows that wait and go before it.</param>
    /// <param name="rows">Its own.</param>
    /// <param name="now">The time.</param>
    public long TicksUntilAnswer(int rowsBefore, int rows, long now)
    {
        if (!choice.Cost.HasEvidence) return 0;

        var work = Work.Of(workers, choice, instances, now, withStuck: false);
        if (work.Slots == 0) work = Work.Of(workers, choice, instances, now, withStuck: true);
        if (work.Slots == 0 || (work.AnyIdle && rowsBefore == 0)) return 0;

        var before = rowsBefore + work.UnbegunRows;
        if (before < batchSize) return work.TicksUntilSlot + choice.Cost.Mean(before + rows);

        var full = choice.Cost.Mean(batchSize);
        return work.ResidualTicks / work.Slots + before / batchSize / work.Slots * full + full;
    }

    /// <summary>When a batch that fills should begin at the latest, so that this request is in time: its way there and back takes time too, and the timer a millisecond. Half of its own time where nothing is known yet.</summary>
    public long LatestBegin(ScheduledRequest request, int rows)
    {
        var (takes, own) = (choice.Cost.P99(rows), request.DeadlineTimestamp - request.ArrivalTimestamp);
        return request.DeadlineTimestamp - (takes == 0 ? own / 2 : takes + Math.Min(own / 4, slack));
    }

    /// <summary>A request of which the answer was predicted has it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="end">When; <see cref="long.MaxValue"/> for one that was given up, because it would have been late.</param>
    /// <param name="now">The time.</param>
    public void Learn(ScheduledRequest request, long end, long now)
    {
        if (request.PredictedTimestamp == 0) return;
        _error.Learn(end - request.PredictedTimestamp, choice.Cost.Mean(batchSize) / (double)batchSize, now);
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

    /// <summary>What the workers have to do.</summary>
    private struct Work
    {
        /// <summary>Device slots.</summary>
        public int Slots;

        /// <summary>Rows that wait there.</summary>
        public int UnbegunRows;

        /// <summary>What is left of all batches that execute.</summary>
        public long ResidualTicks;

        /// <summary>Until the first slot is free.</summary>
        public long TicksUntilSlot;

        /// <summary>A worker has nothing.</summary>
        public bool AnyIdle;

        /// <summary>Those of all workers that take ordinary requests; one that stands still counts only where all do.</summary>
        public static Work Of(List<WorkerSlot> workers, WorkerChoice choice, int instances, long now, bool withStuck)
        {
            var work = new Work { TicksUntilSlot = long.MaxValue };
            foreach (var worker in workers)
            {
                if (worker.IsOrdinary && (withStuck || !choice.IsStuck(worker, now))) work.Add(worker, choice, instances, now);
            }

            return work;
        }

        private void Add(WorkerSlot worker, WorkerChoice choice, int instances, long now)
        {
            Slots += instances;
            UnbegunRows += worker.UnbegunRows;
            AnyIdle |= worker.IsIdle;
            if (worker.Running.Count < instances) TicksUntilSlot = 0;
            foreach (var batch in worker.Running)
            {
                var left = choice.PredictEnd(batch, now) - now;
                ResidualTicks += left;
                TicksUntilSlot = Math.Min(TicksUntilSlot, left);
            }
        }
    }
}
