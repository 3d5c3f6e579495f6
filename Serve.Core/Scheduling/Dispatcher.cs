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
    /// <summary>The batches that the mean fill tells of.</summary>
    private const double RecentBatches = 32;

    private static readonly TimeSpan ArrivalWindow = TimeSpan.FromSeconds(10);

    private readonly DispatcherOptions _options;
    private readonly TimeProvider _time;
    private readonly IDispatchSink _sink;
    private readonly long _maxBatchDelay;
    private readonly long _minBatchTimeForRecall;
    private readonly LaneQueue _queue;
    private readonly Quarantine _quarantine;
    private readonly IndexedHeap<ScheduledRequest, ByDeadline> _deadlines = new();
    private readonly WorkerChoice _choice;
    private readonly WaitPrediction _prediction;
    private readonly ArrivalMeter _arrivals;
    private readonly long _latencyTarget;
    private readonly List<WorkerSlot> _workers = [];
    private readonly List<ScheduledRequest> _suspects = [];
    private long _sequence;
    private double _batchRows;
    private bool _streams;

    /// <summary>Creates the dispatcher of one model version.</summary>
    /// <param name="options">Queue, lanes and batches.</param>
    /// <param name="time">The clock that all timestamps are of.</param>
    /// <param name="sink">Carries out what is decided.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public Dispatcher(DispatcherOptions options, TimeProvider time, IDispatchSink sink)
    {
        options.Validate();
        _options = options;
        _time = time;
        _sink = sink;
        _maxBatchDelay = time.TicksOf(options.MaxBatchDelay);
        _minBatchTimeForRecall = time.TicksOf(options.MinBatchTimeForRecall);
        _queue = new LaneQueue(options.Lanes, time.TicksOf(options.StarvationLimit), options.BatchSize);
        _choice = new WorkerChoice(_workers, options.BatchSize);
        _prediction = new WaitPrediction(_workers, _choice, options.BatchSize, options.Instances, time.TimestampFrequency);
        _arrivals = new ArrivalMeter(ArrivalWindow, time.TimestampFrequency);
        _latencyTarget = time.TicksOf(options.LatencyTarget);
        FitQueue();
        _quarantine = new Quarantine(options.BatchSize, options.MaxSoloDeaths);
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
    public long NextWakeup
    {
        get
        {
            var next = _deadlines.First?.DeadlineTimestamp ?? long.MaxValue;
            if (_options.Mode == BatchingMode.Delayed && _choice.Free() is not null && _queue.Peek(_time.GetTimestamp()) is { } first)
                next = Math.Min(next, HeldUntil(first));

            return next;
        }
    }

    /// <summary>The most requests that may wait, now; one of several rows counts as that many, but one request may always wait.</summary>
    public int QueueLimit { get; private set; }

    /// <summary>How long batches take, as measured.</summary>
    public BatchCostModel Cost => _choice.Cost;

    /// <summary>The same for the sizes that it is told for.</summary>
    public BatchCost[] Costs => [.. Cost.Sizes.Select(rows => new BatchCost(rows, _time.SpanOf(Cost.Mean(rows)), _time.SpanOf(Cost.P99(rows))))];

    /// <summary>The batches that have run.</summary>
    internal BatchTally Executed => _choice.Executed;

    /// <summary>What of the demand and of the capacity is known now.</summary>
    public DispatcherLoad Load
    {
        get
        {
            var now = _time.GetTimestamp();
            var capacity = Cost.HasEvidence ? _options.BatchSize * (double)_prediction.Slots / Cost.Mean(_options.BatchSize) * _time.TimestampFrequency : 0;
            var wait = _prediction.TicksUntilAnswer(_queue.Rows, 1, now);
            return new DispatcherLoad(
                _arrivals.PerSecond(now),
                capacity,
                _batchRows / _options.BatchSize,
                _time.SpanOf(wait == 0 ? Cost.Mean(1) : wait + _prediction.MarginAt(now)));
        }
    }

    /// <summary>
    /// Takes a request in: it is sent at once when there is credit and nobody is before it in line, else it waits. Refused, it is
    /// <see cref="RequestPlace.Nowhere"/>: its answer would come after its deadline, or as many wait as may.
    /// </summary>
    public Admission Admit(ScheduledRequest request)
    {
        var now = _time.GetTimestamp();
        request.Admit(++_sequence);
        _arrivals.Add(request.Rows, now);
        var predicted = Predict(request, now);
        if (_options.RefusesLate && predicted > 0 && predicted > request.DeadlineTimestamp - now) return new Admission(AdmissionVerdict.TooLate, predicted);

        _queue.Add(request, now);
        if (request.DeadlineTimestamp != long.MaxValue) _deadlines.Add(request);

        Dispatch(now);
        if (request.Place != RequestPlace.Queued || _queue.Rows <= QueueLimit || (_queue.Requests == 1 && QueueLimit > 0)) return new Admission(AdmissionVerdict.Admitted, predicted);

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
        FitQueue();
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
    /// <returns>The rows of those that it has.</returns>
    public int Begun(WorkerSlot worker, ReadOnlySpan<ulong> ids)
    {
        var now = _time.GetTimestamp();
        worker.Batches++;
        worker.RecallWasFutile = false;
        var rows = 0;
        foreach (var id in ids)
        {
            if (!worker.InFlight.TryGetValue(id, out var request) || request.Place != RequestPlace.Sent) continue;
            worker.Sent.Remove(request);
            worker.Begun.Append(request);
            request.Place = RequestPlace.Begun;
            request.Batch = worker.Batches;
            request.BegunTimestamp = now;
            rows += request.Rows;
        }

        if (rows > 0)
        {
            worker.Running.Add(new RunningBatch(worker.Batches, now, rows));
            _batchRows += (rows - _batchRows) / RecentBatches;
        }

        RecallForIdle();
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
        if (request.Place == RequestPlace.Begun && (!request.AnswerStarted || IsLastOfBatch(worker, request)))
        {
            if (_choice.Learn(worker, request.Batch, ticks, now)) FitQueue();
            _prediction.Learn(request, now, now);
        }

        Detach(worker, request);
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
        request.AnswerStarted = _streams = true;
        request.PredictedTimestamp = 0;
        NoteProgress(request, now);
        if (!request.PartsMoveDeadline || request.DeadlineTimestamp == long.MaxValue) return;

        _deadlines.Remove(request);
        request.DeadlineTimestamp = now + partTimeoutTicks;
        _deadlines.Add(request);
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
            Detach(worker, request);
            var wanted = !request.IsAbandoned;
            var suspected = request.Group is not null;
            _quarantine.Finish(worker, request, returned: wanted);
            if (!wanted) _sink.Released(request);
            else if (!suspected) _queue.Add(request, now);
        }

        if (worker.IsDraining && !worker.RecallWasFutile) RecallAll(worker);
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
        FitQueue();
        if (!worker.IsIsolating)
        {
            worker.IsReserved = false;
            RecallAll(worker);
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

        FitQueue();
        var now = _time.GetTimestamp();
        var firstFailed = failed.Count;
        var group = worker.Group;
        var alone = worker.OutstandingRequests == 1;
        var oldestBatch = worker.Begun.First?.Batch;
        while ((worker.Begun.First ?? worker.Sent.First) is { } request)
        {
            var begun = request.Place == RequestPlace.Begun;
            Detach(worker, request);
            if (request.IsAbandoned)
            {
                request.Group = null;
                _sink.Released(request);
            }
            else if (request.AnswerStarted || (reason == WorkerLossReason.TimedOut && begun && request.Batch == oldestBatch))
            {
                failed.Add(request);
            }
            else if (group is not null || (reason == WorkerLossReason.Crashed && IsSuspect(request, begun)))
            {
                _suspects.Add(request);
            }
            else
            {
                _queue.Add(request, now);
            }
        }

        var explained = false;
        if (group is null) _quarantine.Suspect(_suspects, alone, failed);
        else if (reason == WorkerLossReason.Crashed) explained = _quarantine.GroupDied(worker, _suspects, alone, failed);
        else _quarantine.GroupStopped(worker, _suspects);

        for (var i = firstFailed; i < failed.Count; i++)
        {
            failed[i].Group = null;
            _deadlines.Remove(failed[i]);
        }

        _suspects.Clear();
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
        while (_deadlines.First is { } request && request.DeadlineTimestamp <= now)
        {
            _deadlines.Remove(request);
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

    // Requests of a batch that streams end one by one; its slot of the device is free after the last.
    private static bool IsLastOfBatch(WorkerSlot worker, ScheduledRequest request)
    {
        for (var other = worker.Begun.First; other is not null; other = other.Next)
        {
            if (other.Batch == request.Batch && other != request) return false;
        }

        return true;
    }

    /// <summary>How long its answer will take, with the margin that keeps the promise; 0: nobody can say, or need to.</summary>
    private long Predict(ScheduledRequest request, long now)
    {
        if (_streams) return 0;

        var ticks = _prediction.TicksUntilAnswer(_queue.RowsBefore(request) + _quarantine.Requests, request.Rows, now);
        if (ticks == 0) return 0;

        request.PredictedTimestamp = now + ticks;
        return ticks + _prediction.MarginAt(now);
    }

    /// <summary>What was measured, or who serves, has changed: so may have what can be served in time.</summary>
    private void FitQueue()
    {
        if (_options.MaxQueueSize is { } size) QueueLimit = size;
        else if (QueueLimit == 0 || _prediction.Slots > 0) QueueLimit = _prediction.QueueSizeFor(_latencyTarget);
    }

    private void Dispatch(long now)
    {
        if (_quarantine.HasWaiting) SendSuspects(now);
        var sent = _options.Mode == BatchingMode.Delayed ? SendDelayed(now) : SendAdaptive(now);
        if (sent && _quarantine.IsOrdinaryTurn)
        {
            _quarantine.EndOrdinaryTurn();
            if (_quarantine.HasWaiting) SendSuspects(now);
        }

        RecallForIdle();
    }

    private bool SendAdaptive(long now)
    {
        var sent = false;
        while (PeekInTime(now) is { } request && _choice.SoonestFor(request.Rows, now) is { } worker)
        {
            _queue.Take(request, now);
            Send(worker, request, more: false);
            sent = true;
        }

        return sent;
    }

    /// <summary>TorchServe's rule: a full batch, or one whose oldest request has waited long enough, to a worker that has nothing.</summary>
    private bool SendDelayed(long now)
    {
        var sent = false;
        while (PeekInTime(now) is { } request && _choice.Free() is { } worker)
        {
            var complete = _queue.Rows >= _options.BatchSize
                || _queue.Rows >= QueueLimit // else it would refuse requests while a worker is free
                || now >= HeldUntil(request);
            if (!complete) break;

            SendBatch(worker, request, now);
            sent = true;
        }

        return sent;
    }

    /// <summary>Until when a batch may wait to fill: the oldest has waited long enough, or the first in line would become late.</summary>
    private long HeldUntil(ScheduledRequest first) =>
        Math.Min(_queue.OldestArrival + _maxBatchDelay, first.DeadlineTimestamp == long.MaxValue ? long.MaxValue : _prediction.LatestBegin(first, _queue.Rows));

    private void SendBatch(WorkerSlot worker, ScheduledRequest first, long now)
    {
        var room = Math.Min(_options.BatchSize, worker.Credit);
        for (var request = first; request is not null;)
        {
            _queue.Take(request, now);
            room -= request.Rows;
            var next = PeekInTime(now) is { } peeked && peeked.Rows <= room ? peeked : null;
            Send(worker, request, more: next is not null);
            request = next;
        }
    }

    private void SendSuspects(long now)
    {
        while (_quarantine.HasWaiting && _quarantine.FindWorker(_workers, _queue.Requests > 0) is { } worker)
        {
            var group = _quarantine.Start(worker);
            while (group.Waiting.First is { } request)
            {
                _quarantine.Take(request);
                Send(worker, request, more: group.Waiting.Count > 0);
            }
        }

        if (!_quarantine.HasWaiting) EndReservations();
    }

    private void EndReservations()
    {
        foreach (var worker in _workers)
        {
            if (!worker.IsIsolating) worker.IsReserved = false;
        }
    }

    private void Send(WorkerSlot worker, ScheduledRequest request, bool more)
    {
        request.Place = RequestPlace.Sent;
        request.Worker = worker;
        worker.Sent.Append(request);
        worker.InFlight.Add(request.Id, request);
        _sink.Send(worker, request, more);
    }

    /// <summary>Who is next in line; those whose deadline has passed step aside for <see cref="CollectLate"/>.</summary>
    private ScheduledRequest? PeekInTime(long now)
    {
        while (_queue.Peek(now) is { } request)
        {
            if (request.DeadlineTimestamp > now) return request;
            _queue.Remove(request);
            request.Place = RequestPlace.Late;
        }

        return null;
    }

    /// <summary>
    /// While a worker idles and nobody waits in line, rows that another has not begun are better off there: half of those of
    /// the most loaded one.
    /// </summary>
    private void RecallForIdle()
    {
        if (_workers.Count < 2) return;

        RecallFromReserved();
        if (_options.Mode == BatchingMode.Delayed || _queue.Requests > 0 || _choice.Cost.Typical < _minBatchTimeForRecall) return;
        if (_choice.ToRecallFrom() is { } loaded) Recall(loaded, (loaded.UnbegunRows + 1) / 2);
    }

    /// <summary>A worker that is to become idle for a group of suspects does so sooner when others take what it has not begun.</summary>
    private void RecallFromReserved()
    {
        if (!_quarantine.HasWaiting) return;
        foreach (var worker in _workers)
        {
            if (worker is { IsReserved: true, IsIsolating: false, RecallWasFutile: false }) RecallAll(worker);
        }
    }

    private void RecallAll(WorkerSlot worker)
    {
        if (worker.RecallPending || worker.UnbegunRows == 0) return;
        foreach (var other in _workers)
        {
            if (other != worker && other.IsOrdinary)
            {
                Recall(worker, worker.UnbegunRows);
                return;
            }
        }
    }

    private void Recall(WorkerSlot worker, int rows)
    {
        worker.RecallPending = true;
        _sink.Recall(worker, rows);
    }

    /// <summary>What was running is suspected; what only waited is not, unless it was there at too many deaths.</summary>
    private bool IsSuspect(ScheduledRequest request, bool begun) =>
        begun || ++request.BystanderDeaths >= _options.MaxBystanderDeaths;

    private void LeaveLine(ScheduledRequest request)
    {
        if (request.Place == RequestPlace.Queued)
        {
            _queue.Remove(request);
        }
        else if (request.Place == RequestPlace.Quarantined)
        {
            _quarantine.Remove(request);
            if (!_quarantine.HasWaiting) EndReservations();
        }

        request.Place = RequestPlace.Nowhere;
    }

    private static void Detach(WorkerSlot worker, ScheduledRequest request)
    {
        (request.Place == RequestPlace.Begun ? worker.Begun : worker.Sent).Remove(request);
        worker.InFlight.Remove(request.Id);
        request.Worker = null;
        request.Place = RequestPlace.Nowhere;
    }

    private readonly struct ByDeadline : IHeapOrder<ScheduledRequest>
    {
        public static bool Before(ScheduledRequest a, ScheduledRequest b) => a.DeadlineTimestamp < b.DeadlineTimestamp;

        public static ref int IndexOf(ScheduledRequest item) => ref item.DeadlineIndex;
    }
}
