using Serve.Core.Configuration;

namespace Serve.Core.Scheduling;

/// <summary>
/// Decides which worker a request of one model version goes to, and when: the frontend's half of the dynamic batcher. A
/// request goes to a worker that has credit for it, the one that will begin it soonest, and waits in its lane while none has.
/// The worker's half, <see cref="BatchFormer{TRow}"/>, makes batches of what it has.
/// </summary>
/// <remarks>
/// Hot path: called for every request, without allocation. Pure and deterministic: no threads, no input or output, time
/// only from the <see cref="TimeProvider"/>. Every call happens under the model version's lock.
/// </remarks>
public sealed class Dispatcher
{
    private readonly TimeProvider _time;
    private readonly IDispatchSink _sink;
    private readonly List<WorkerSlot> _workers = [];
    private readonly LaneQueue _queue;
    private readonly Quarantine _quarantine;
    private readonly Deadlines _deadlines = new();
    private readonly WorkerChoice _choice;
    private readonly WaitPrediction _prediction;
    private readonly QueueLimit _limit;
    private readonly Placement _placement;
    private readonly Recalls _recalls;
    private readonly Salvage _salvage;
    private readonly LoadMeter _load;
    private readonly bool _refusesLate;
    private long _sequence;

    /// <summary>Creates the dispatcher of one model version.</summary>
    /// <param name="options">Queue, lanes and batches.</param>
    /// <param name="time">The clock that all timestamps are of.</param>
    /// <param name="sink">Carries out what is decided.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public Dispatcher(DispatcherOptions options, TimeProvider time, IDispatchSink sink)
    {
        options.Validate();
        _time = time;
        _sink = sink;
        _refusesLate = options.RefusesLate;
        _queue = new LaneQueue(options.Lanes, time.TicksOf(options.StarvationLimit), options.BatchSize);
        _quarantine = new Quarantine(_workers, options.BatchSize, options.MaxSoloDeaths);
        _choice = new WorkerChoice(_workers, options.BatchSize);
        _prediction = new WaitPrediction(_workers, _choice, options.BatchSize, options.Instances, time.TimestampFrequency, time.TicksOf(TimeSpan.FromMilliseconds(2)));
        _limit = new QueueLimit(options.MaxQueueSize, _prediction, time.TicksOf(options.LatencyTarget));
        _placement = new Placement(options, _queue, _quarantine, _choice, _prediction, _limit, time, sink);
        _recalls = new Recalls(_workers, _choice, _quarantine, options.Mode == BatchingMode.Delayed ? long.MaxValue : time.TicksOf(options.MinBatchTimeForRecall), sink);
        _salvage = new Salvage(_queue, _quarantine, options.MaxBystanderDeaths, sink);
        _load = new LoadMeter(options.BatchSize, _prediction, _choice.Cost, time);
    }

    /// <summary>Requests that wait in their lanes.</summary>
    public int QueuedRequests => _queue.Requests;

    /// <summary>Rows that wait in their lanes.</summary>
    public int QueuedRows => _queue.Rows;

    /// <summary>Suspected requests that wait to be run apart from others.</summary>
    public int QuarantinedRequests => _quarantine.Requests;

    /// <summary>When the oldest request that waits in a lane arrived, as a timestamp; <see cref="long.MaxValue"/>: none waits.</summary>
    public long OldestQueuedArrival => _queue.OldestArrival;

    /// <summary>The workers that there are.</summary>
    public IReadOnlyList<WorkerSlot> Workers => _workers;

    /// <summary>Rows that workers have.</summary>
    public int OutstandingRows
    {
        get
        {
            var rows = 0;
            foreach (var worker in _workers) rows += worker.OutstandingRows;
            return rows;
        }
    }

    /// <summary>
    /// When <see cref="CollectLate"/> or <see cref="Wake"/> has something to do, as a timestamp; <see cref="long.MaxValue"/>:
    /// not by the passing of time.
    /// </summary>
    public long NextWakeup => Math.Min(_deadlines.Next, _placement.NextRelease);

    /// <summary>The most requests that may wait, now; one of several rows counts as that many, but one request may always wait.</summary>
    public int QueueLimit => _limit.Requests;

    /// <summary>How long batches take, as measured.</summary>
    public BatchCostModel Cost => _choice.Cost;

    /// <summary>The same for the sizes that it is told for.</summary>
    public BatchCost[] Costs => [.. Cost.Sizes.Select(rows => new BatchCost(rows, _time.SpanOf(Cost.Mean(rows)), _time.SpanOf(Cost.P99(rows))))];

    /// <summary>The batches that have run.</summary>
    internal BatchTally Executed => _choice.Executed;

    /// <summary>What of the demand and of the capacity is known now.</summary>
    public DispatcherLoad Load => _load.Read(_queue.Rows);

    /// <summary>
    /// Takes a request in: it is sent at once when there is credit and nobody is before it in line, else it waits. Refused, it is
    /// <see cref="RequestPlace.Nowhere"/>: its answer would come after its deadline, or as many wait as may.
    /// </summary>
    public Admission Admit(ScheduledRequest request)
    {
        var now = _time.GetTimestamp();
        request.Admit(++_sequence);
        var predicted = request.IsAside ? 0 : Predict(request, now);
        if (_refusesLate && predicted > 0 && predicted > request.DeadlineTimestamp - now) return new Admission(AdmissionVerdict.TooLate, predicted);

        _queue.Add(request, now);
        _deadlines.Add(request);
        Dispatch(now);
        if (request.Place != RequestPlace.Queued || _limit.Allows(_queue)) return new Admission(AdmissionVerdict.Admitted, predicted);

        _queue.Remove(request);
        _deadlines.Remove(request);
        return new Admission(AdmissionVerdict.QueueFull, predicted);
    }

    /// <summary>A worker is ready.</summary>
    /// <param name="owner">What the pool knows it by.</param>
    /// <param name="credit">Rows that it wants outstanding at once.</param>
    public WorkerSlot AddWorker(object owner, int credit)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(credit);
        var worker = new WorkerSlot { Owner = owner, Credit = credit };
        _workers.Add(worker);
        _limit.Fit();
        Dispatch(_time.GetTimestamp());
        return worker;
    }

    /// <summary>A worker can take more.</summary>
    public void Grant(WorkerSlot worker, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        worker.Credit = (int)Math.Min((long)worker.Credit + rows, int.MaxValue);
        Dispatch(_time.GetTimestamp());
    }

    /// <summary>A batch begins. Ids that the worker does not have are ignored.</summary>
    /// <returns>The rows of those that it has; 0 for what it answers beside its batches.</returns>
    public int Begun(WorkerSlot worker, ReadOnlySpan<ulong> ids)
    {
        var rows = worker.Begin(ids, _time.GetTimestamp());
        if (rows > 0) _load.BatchBegun(rows);
        _recalls.ForIdle(_queue.Requests > 0);
        return rows;
    }

    /// <summary>A worker gave its final answer to a request: the request leaves, and its credit is free for others.</summary>
    /// <remarks>Whether anybody still wants the answer: <see cref="ScheduledRequest.IsAbandoned"/>.</remarks>
    /// <param name="worker">The worker.</param>
    /// <param name="request">The request.</param>
    /// <param name="ticks">What its batch took, by the worker's clock; without a time of its execution: the worker did not say.</param>
    public void Complete(WorkerSlot worker, ScheduledRequest request, BatchTicks ticks = default)
    {
        if (request.Worker != worker) throw new InvalidOperationException($"Request {request.Id} is not at this worker.");

        var now = _time.GetTimestamp();
        // Of a batch that streams one request may be answered whole while others go on: it has run when the last one ends.
        if (request.Place == RequestPlace.Begun && ((!request.AnswerStarted && !_prediction.IsOff) || worker.IsLastOfBatch(request)))
        {
            if (_choice.Learn(worker, request.Batch, ticks, now)) _limit.Fit();
            _prediction.Learn(request, now, now);
        }

        worker.Release(request);
        _deadlines.Remove(request);
        _quarantine.Answered();
        _quarantine.Finish(worker, request, returned: false);
        if (request.IsAbandoned) _sink.Released(request);
        Dispatch(now);
    }

    /// <summary>
    /// A worker gave a part of an answer and more is to come, or the client has taken parts for which the worker may have
    /// waited. The request cannot be run again from now on, its batch is not stuck, and where the deadline is not the client's
    /// own the next part has as much time again.
    /// </summary>
    /// <remarks>How long a streamed answer takes is its own affair: from the first one on, no wait is predicted for this version.</remarks>
    /// <param name="worker">The worker.</param>
    /// <param name="request">The request.</param>
    /// <param name="partTimeoutTicks">Until when the next part has time, from now.</param>
    public void Streamed(WorkerSlot worker, ScheduledRequest request, long partTimeoutTicks)
    {
        if (request.Worker != worker) throw new InvalidOperationException($"Request {request.Id} is not at this worker.");

        var now = _time.GetTimestamp();
        request.AnswerStarted = true;
        _prediction.TurnOff(request);
        NoteProgress(request, now);
        if (request.PartsMoveDeadline && request.DeadlineTimestamp != long.MaxValue) _deadlines.Move(request, now + partTimeoutTicks);
    }

    /// <summary>A worker gave a request up before it began, because its answer would have been late. As <see cref="Complete"/>.</summary>
    public void GiveUp(WorkerSlot worker, ScheduledRequest request)
    {
        _prediction.Learn(request, long.MaxValue, _time.GetTimestamp());
        Complete(worker, request);
    }

    /// <summary>The worker's answer to a Recall: these have not begun, and go back to their old place in line.</summary>
    public void Returned(WorkerSlot worker, ReadOnlySpan<ulong> ids)
    {
        var now = _time.GetTimestamp();
        worker.RecallPending = false;
        worker.RecallWasFutile = ids.IsEmpty;
        foreach (var id in ids)
        {
            if (!worker.InFlight.TryGetValue(id, out var request)) continue;
            worker.Release(request);
            var wanted = !request.IsAbandoned;
            var suspected = request.Group is not null;
            _quarantine.Finish(worker, request, returned: wanted);
            if (!wanted) _sink.Released(request);
            else if (!suspected) _queue.Add(request, now);
        }

        if (worker.IsDraining && !worker.RecallWasFutile) _recalls.All(worker);
        Dispatch(now);
    }

    /// <summary>The client has gone, or nobody wants the answer any more.</summary>
    /// <returns>
    /// True: the request waited and is out. False: a worker has it (the caller sends Cancel; see
    /// <see cref="ScheduledRequest.IsAbandoned"/>), or it had ended before (<see cref="ScheduledRequest.Worker"/> is null).
    /// </returns>
    public bool Remove(ScheduledRequest request)
    {
        _deadlines.Remove(request);
        switch (request.Place)
        {
            case RequestPlace.Sent or RequestPlace.Begun:
                Abandon(request, _time.GetTimestamp());
                return false;
            case RequestPlace.Nowhere:
                return false;
            default:
                LeaveLine(request);
                Dispatch(_time.GetTimestamp());
                return true;
        }
    }

    /// <summary>
    /// Gives a worker nothing more, and has what it has not begun run elsewhere. What there is nobody else for, it finishes
    /// itself.
    /// </summary>
    public void Drain(WorkerSlot worker)
    {
        if (worker.IsDraining) return;

        worker.IsDraining = true;
        _limit.Fit();
        if (!worker.IsIsolating)
        {
            worker.IsReserved = false;
            _recalls.All(worker);
        }

        Dispatch(_time.GetTimestamp());
    }

    /// <summary>
    /// A worker is gone, after everything that it had written was read. What it had goes back to its place in line; what was
    /// running is treated as the reason says.
    /// </summary>
    /// <param name="worker">The worker.</param>
    /// <param name="reason">Why.</param>
    /// <param name="failed">
    /// Receives the requests that are not run again; they have left. The reason tells those of a batch that took too long;
    /// others killed <see cref="DispatcherOptions.MaxSoloDeaths"/> workers by themselves
    /// (<see cref="ScheduledRequest.SoloDeaths"/>) or had begun to answer (<see cref="ScheduledRequest.AnswerStarted"/>).
    /// </param>
    /// <returns>
    /// Whether suspected requests ran alone on the worker and explain its death, so that it should not be counted against the
    /// model.
    /// </returns>
    public bool RemoveWorker(WorkerSlot worker, WorkerLossReason reason, List<ScheduledRequest> failed)
    {
        if (!_workers.Remove(worker)) return false;

        _limit.Fit();
        var now = _time.GetTimestamp();
        var firstFailed = failed.Count;
        var explained = _salvage.From(worker, reason, failed, now);
        for (var i = firstFailed; i < failed.Count; i++) _deadlines.Remove(failed[i]);
        Dispatch(now);
        return explained;
    }

    /// <summary>
    /// Collects the requests whose deadline has passed, each once. Those that waited have left. Those that a worker has
    /// (<see cref="ScheduledRequest.Worker"/>) are abandoned from now on: the caller answers them and sends Cancel.
    /// </summary>
    public void CollectLate(List<ScheduledRequest> late)
    {
        var now = _time.GetTimestamp();
        var anyWaited = false;
        while (_deadlines.TakeLate(now) is { } request)
        {
            _prediction.Learn(request, long.MaxValue, now);
            late.Add(request);
            if (request.Worker is not null)
            {
                Abandon(request, now);
                continue;
            }

            LeaveLine(request);
            anyWaited = true;
        }

        if (anyWaited) Dispatch(now);
    }

    /// <summary>Takes out everything that waits; what workers have stays theirs.</summary>
    /// <param name="waiting">Receives the requests; they have left.</param>
    public void RemoveWaiting(List<ScheduledRequest> waiting)
    {
        var now = _time.GetTimestamp();
        while ((_queue.Peek(now) ?? _quarantine.First) is { } request)
        {
            _deadlines.Remove(request);
            LeaveLine(request);
            waiting.Add(request);
        }
    }

    /// <summary>Time has passed: sends what was held for a batch to fill. Harmless at any time.</summary>
    public void Wake() => Dispatch(_time.GetTimestamp());

    /// <summary>A worker has it, and nobody waits for the answer any more. A batch that streams gets as long again to end.</summary>
    private static void Abandon(ScheduledRequest request, long now)
    {
        request.IsAbandoned = true;
        if (request.AnswerStarted) NoteProgress(request, now);
    }

    private static void NoteProgress(ScheduledRequest request, long now)
    {
        if (request.Place == RequestPlace.Begun) request.Worker!.NoteProgress(request.Batch, now);
    }

    private long Predict(ScheduledRequest request, long now)
    {
        _load.Arrived(request.Rows, now);
        return _prediction.Promise(request, _queue.RowsBefore(request) + _quarantine.Requests, now);
    }

    private void Dispatch(long now)
    {
        _placement.Run(now);
        _recalls.ForIdle(_queue.Requests > 0);
    }

    private void LeaveLine(ScheduledRequest request)
    {
        if (request.Place == RequestPlace.Queued) _queue.Remove(request);
        else if (request.Place == RequestPlace.Quarantined) _quarantine.Remove(request);
        request.Place = RequestPlace.Nowhere;
    }
}
