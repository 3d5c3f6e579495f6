using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>
/// The requests of one model version between their arrival and their answer: one short lock around the
/// <see cref="Dispatcher"/>, taken by requests and by the workers' readers. Bytes are sent after the lock is
/// released, and before anything is completed: feeding the device comes first.
/// </summary>
internal sealed class InferenceScheduler : IDisposable
{
    private readonly TimeProvider _time;
    private readonly ModelMetrics _metrics;
    private readonly ModelConfiguration _configuration;
    private readonly RequestErrors _errors;
    private readonly AnswerCompleter _completer;
    private readonly Action<object?> _clientLeft;
    private readonly long _shortBatch;
    private readonly long _shortDecode;
    private readonly long _partTimeout;
    private ulong _lastId;

    // All below belongs to the gate.
    private readonly Lock _gate = new();
    private readonly Dispatcher _dispatcher;
    private readonly TouchedWorkers _touched = new();
    private readonly DispatchFrames _frames;
    private readonly ChunkBooking _booking;
    private readonly WakeUpTimer _timer;
    private readonly List<ScheduledRequest> _late = [];
    private readonly List<ScheduledRequest> _failed = [];
    private TaskCompletionSource? _idle;
    private Func<Exception>? _refusal; // while it is set nobody waits: EndTurn answers them
    private RunRequest? _elsewhere;
    private bool _isClosed;

    /// <summary>Creates the scheduler of one version.</summary>
    /// <param name="title">The version as error messages name it, for example <c>model "m", version 1.0</c>.</param>
    /// <param name="configuration">The version's configuration.</param>
    /// <param name="completeInline">Whether answers are completed by the workers' readers as far as that does not hold up the next chunk.</param>
    /// <param name="time">The clock.</param>
    /// <param name="metrics">The version's instruments.</param>
    /// <param name="log">The version's log.</param>
    public InferenceScheduler(string title, ModelConfiguration configuration, bool completeInline, TimeProvider time, ModelMetrics metrics, ILogger log)
    {
        _time = time;
        _metrics = metrics;
        _configuration = configuration;
        _errors = new RequestErrors(title, configuration);
        _completer = new AnswerCompleter(completeInline, time, metrics, log);
        _clientLeft = state => Abandon((InferenceRequest)state!);
        _shortDecode = time.TicksOf(TimeSpan.FromMicroseconds(20));

        // Where several batches run at once, a batch that waits for another's answer leaves an instance idle: only if that is
        // for less than waking threads takes.
        _shortBatch = time.TicksOf(TimeSpan.FromMicroseconds(configuration.Instances == 1 ? 200 : 50));
        _partTimeout = time.TicksOf(configuration.ResponseTimeout);
        _frames = new DispatchFrames(_touched, time);
        _dispatcher = new Dispatcher(DispatcherOptions.Of(configuration), time, _frames);
        _booking = new ChunkBooking(this, _dispatcher, _frames, _partTimeout, time, metrics, _errors);
        _timer = new WakeUpTimer(time, OnTimer);
        metrics.SetQueueCapacity(_dispatcher.QueueLimit);
    }

    /// <summary>Counts the responses of a decoupled model; null: it is none, or not known to be one.</summary>
    public ResponseStatistics? Responses => _completer.Responses;

    /// <summary>The model is a decoupled one: its responses are counted from now on.</summary>
    public void CountResponses() => _completer.Responses ??= new ResponseStatistics(_time);

    /// <summary>Requests that wait for a worker.</summary>
    public int QueuedRequests
    {
        get
        {
            lock (_gate) return Waiting();
        }
    }

    /// <summary>What is known of demand and capacity.</summary>
    public LoadReport Load
    {
        get
        {
            lock (_gate) return new LoadReport(_dispatcher.Load, _dispatcher.Costs, _dispatcher.QueueLimit);
        }
    }

    /// <summary>The batches that have run: when the last one ended, and how many of which size took how long.</summary>
    public (DateTimeOffset? Last, IReadOnlyList<BatchStatistics> Sizes) Executed
    {
        get
        {
            long? last;
            IReadOnlyList<BatchSizeTally> sizes;
            lock (_gate) (last, sizes) = (_dispatcher.Executed.LastTimestamp, _dispatcher.Executed.Sizes());
            return (
                last is { } timestamp ? _time.GetUtcNow() - _time.GetElapsedTime(timestamp) : null,
                [.. sizes.Select(size => new BatchStatistics(size.Rows, Tally(size, size.Ticks.Input), Tally(size, size.Ticks.Execute), Tally(size, size.Ticks.Output)))]);

            Tally Tally(BatchSizeTally size, long ticks) => new(size.Batches, _time.SpanOf(ticks));
        }
    }

    /// <summary>Requests that wait or run.</summary>
    public int PendingRequests
    {
        get
        {
            lock (_gate) return Pending();
        }
    }

    /// <summary>Admits a request; its answer comes through <see cref="InferenceRequest.Answer"/>. Hot path.</summary>
    /// <param name="payload">Released by the scheduler when no worker can need it any more.</param>
    /// <param name="lane">Priority lane.</param>
    /// <param name="timeout">From now; the request's deadline.</param>
    /// <param name="isClients">Whether the client named it: then it is for the whole of an answer in parts; else for the first part, and each further one has <c>responseTimeout</c> after the one before.</param>
    /// <param name="clientGone">Cancelled when the client leaves.</param>
    /// <param name="rows">Rows of a batch that it fills.</param>
    /// <exception cref="ServiceUnavailableException">The queue is full, or the answer would come too late; or as <see cref="SetRefusal"/> and <see cref="Close"/> say.</exception>
    public ValueTask<InferenceResponse> Submit(RequestPayload payload, int lane, TimeSpan timeout, bool isClients, CancellationToken clientGone, int rows = 1)
    {
        var now = _time.GetTimestamp();
        var request = new InferenceRequest(payload)
        {
            Id = Interlocked.Increment(ref _lastId),
            Lane = lane,
            Rows = rows,
            ArrivalTimestamp = now,
            DeadlineTimestamp = now + _time.TicksOf(timeout),
            PartsMoveDeadline = !isClients,
            IsAside = payload.AsksHandler,
        };
        payload.Trace?.QueuedTimestamp = now;
        Admission admission;
        int queued;
        bool answersSoon;
        Func<Exception>? refusal;
        RunRequest? elsewhere;
        Aftermath after;
        lock (_gate)
        {
            (refusal, elsewhere) = (_refusal, _elsewhere);
            admission = refusal is null && elsewhere is null ? _dispatcher.Admit(request) : default;
            queued = _dispatcher.QueuedRequests;
            answersSoon = AnswersSoon;
            after = elsewhere is null ? EndTurn() : default;
        }

        if (elsewhere is not null) return elsewhere(payload, lane, timeout, isClients, clientGone, rows);

        // Frames to a worker that is busy for microseconds go out with its next answer, which comes before another thread
        // could be woken to send them.
        if (!answersSoon || after.Frames.AreUrgent) after.Frames.Flush(evenIfBusy: false);
        _metrics.SetQueueLength(queued);
        if (refusal is not null || !admission.IsAdmitted)
        {
            payload.Release();
            request.TryFail(refusal?.Invoke() ?? Refuse(admission, queued, timeout));
        }
        else if (clientGone.CanBeCanceled)
        {
            request.WatchClient(_clientLeft, clientGone);
        }

        after.End();
        return request.Answer;
    }

    /// <summary>A worker is ready.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="credit">Rows that it wants outstanding.</param>
    /// <param name="warmUp">What its batches took before it was ready.</param>
    public void AddWorker(IRequestTarget worker, int credit, IReadOnlyList<WarmUpTime>? warmUp)
    {
        Aftermath after;
        lock (_gate)
        {
            foreach (var run in warmUp ?? []) _dispatcher.Cost.Learn(Math.Max(1, run.Rows), _time.TicksOf(TimeSpan.FromMicroseconds(Math.Max(0, run.Microseconds))));
            worker.Slot = _dispatcher.AddWorker(worker, credit);
            after = EndTurn();
        }

        after.Run();
    }

    /// <summary>Applies one chunk of a worker's frames. Hot path; the worker's reader calls it.</summary>
    /// <returns>Whether its next answers come within microseconds.</returns>
    public bool Apply(IRequestTarget worker, List<LinkEvent> events, List<ulong> ids, List<Completion> completions)
    {
        var now = _time.GetTimestamp();
        Aftermath after;
        int queued;
        bool answersSoon;
        lock (_gate)
        {
            if (worker.Slot is not { } slot) return false;
            _booking.Book(slot, events, ids, completions, now);
            answersSoon = AnswersSoon;
            after = EndTurn();
            queued = _dispatcher.QueuedRequests;
        }

        after.Frames.Flush(evenIfBusy: true);

        // Also what request threads left to this answer: see Submit.
        worker.Flush(onThisThread: true);
        worker.HasServed |= completions.Count > 0;
        _metrics.SetQueueLength(queued);
        _completer.CompleteAll(completions, now);
        after.End();
        return answersSoon;
    }

    /// <summary>A worker is gone: what it had runs elsewhere; what killed it is left to <see cref="FailLost"/>.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="reason">Why.</param>
    /// <param name="failed">Requests that are not run again.</param>
    /// <returns>Whether suspects that ran apart from others explain the death.</returns>
    public bool RemoveWorker(IRequestTarget worker, WorkerLossReason reason, out ScheduledRequest[] failed)
    {
        Aftermath after;
        bool isExplained;
        lock (_gate)
        {
            failed = [];
            if (worker.Slot is not { } slot) return false;
            var wanted = slot.WantedRequests;
            _failed.Clear();
            isExplained = _dispatcher.RemoveWorker(slot, reason, _failed);
            worker.Slot = null;
            failed = [.. _failed];
            for (var i = failed.Length; _refusal is null && i < wanted; i++) _metrics.RequestRetried();
            after = EndTurn();
        }

        after.Run();
        return isExplained;
    }

    /// <summary>Answers the requests that went down with a worker.</summary>
    /// <param name="failed">From <see cref="RemoveWorker"/>.</param>
    /// <param name="reason">Why the worker went.</param>
    /// <param name="how">The same, for people.</param>
    public void FailLost(ScheduledRequest[] failed, WorkerLossReason reason, string how)
    {
        foreach (InferenceRequest request in failed)
        {
            if (request.TryFail(_errors.Lost(request, reason, how))) CountFailure(request);
            request.Payload.Release();
        }
    }

    // Of a request that came to a worker, and failed before its first response: later ones are counted by those who write them.
    private void CountFailure(InferenceRequest request)
    {
        if (request is { Parts: null, IsAside: false } && _completer.Responses is { } responses) responses.Failed(0, request.SentTimestamp, responses.Now);
    }

    /// <summary>Gives a worker nothing more.</summary>
    /// <returns>Whether it has nothing any more.</returns>
    public bool DrainWorker(IRequestTarget worker)
    {
        Aftermath after;
        bool isEmpty;
        lock (_gate)
        {
            if (worker.Slot is not { } slot) return true;
            _dispatcher.Drain(slot);
            isEmpty = slot.OutstandingRequests == 0;
            after = EndTurn();
        }

        after.Run();
        return isEmpty;
    }

    /// <summary>
    /// How long the worker has been at what it does: its oldest batch, or, if it has begun none, the oldest request that it
    /// has. Zero if it has nothing.
    /// </summary>
    public TimeSpan OldestWorkAge(IRequestTarget worker)
    {
        lock (_gate)
        {
            if (worker.Slot is not { } slot) return TimeSpan.Zero;
            if (slot.OldestProgressTimestamp != long.MaxValue) return _time.GetElapsedTime(slot.OldestProgressTimestamp);
            return slot.Sent.First is InferenceRequest request ? _time.GetElapsedTime(request.SentTimestamp) : TimeSpan.Zero;
        }
    }

    /// <summary>Rows at the worker now.</summary>
    public int OutstandingRows(IRequestTarget worker)
    {
        lock (_gate) return worker.Slot?.OutstandingRows ?? 0;
    }

    /// <summary>Whether the worker has nothing; it may be told to leave then.</summary>
    public bool IsEmpty(IRequestTarget worker)
    {
        lock (_gate) return worker.Slot is null or { OutstandingRequests: 0 };
    }

    /// <summary>
    /// Says whether a worker takes requests, or will. While none does, an error is the answer to what waits, to what comes and
    /// to what comes back from workers that go. What workers have stays theirs.
    /// </summary>
    /// <param name="refusal">Makes the error; called without the scheduler's lock. Null: a worker is there, or is on its way.</param>
    public void SetRefusal(Func<Exception>? refusal)
    {
        Aftermath after;
        lock (_gate)
        {
            if (_isClosed) return;
            _refusal = refusal;
            after = EndTurn();
        }

        after.Run();
    }

    /// <summary>Takes nothing more, whatever workers come: as <see cref="SetRefusal"/>, for good. <see cref="WhenIdle"/> is sure to end when the workers have left.</summary>
    /// <param name="refusal">As there.</param>
    public void Close(Func<Exception> refusal)
    {
        Aftermath after;
        lock (_gate)
        {
            _isClosed = true;
            _refusal = refusal;
            after = EndTurn();
        }

        after.Run();
    }

    /// <summary>Takes nothing more: what comes from now on is run elsewhere. What is here is finished here.</summary>
    /// <param name="elsewhere">Runs it; called without the scheduler's lock.</param>
    public void PassOn(RunRequest elsewhere)
    {
        lock (_gate) _elsewhere = elsewhere;
    }

    /// <summary>Brings the length of the queue up to date where no request and no answer does: what waited may have become late, or have been fetched by a new worker.</summary>
    public void ObserveQueue()
    {
        lock (_gate) _metrics.SetQueueLength(_dispatcher.QueuedRequests);
    }

    /// <summary>Completes when nothing waits, nothing runs, and nothing late is unanswered.</summary>
    public Task WhenIdle()
    {
        lock (_gate)
        {
            if (IsIdle) return Task.CompletedTask;
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    /// <summary>Stops the timer. It was closed, and is idle: every request has been answered.</summary>
    public void Dispose()
    {
        lock (_gate) _timer.Dispose();
    }

    /// <summary>The client has taken parts of an answer: its worker may send as much again.</summary>
    /// <param name="request">The request.</param>
    /// <param name="parts">Its answer.</param>
    /// <param name="cost">What the parts cost.</param>
    public void Take(InferenceRequest request, AnswerParts parts, long cost)
    {
        Aftermath after;
        lock (_gate)
        {
            parts.Waiting -= cost;
            if (request is not { IsAbandoned: false, Worker: { } slot }) return;
            _frames.Taken(slot, request, cost);
            _dispatcher.Streamed(slot, request, _partTimeout);
            after = EndTurn();
        }

        after.Run();
    }

    /// <summary>The client has left, or takes no more parts: on the thread that noticed.</summary>
    public void Abandon(InferenceRequest request)
    {
        Aftermath after;
        bool waited;
        lock (_gate)
        {
            waited = _dispatcher.Remove(request);
            if (!waited && request.Worker is { } worker) _frames.Cancel(worker, request);
            after = EndTurn();
        }

        after.Run();
        if (!request.TryFail(new ClientGoneException())) return;
        if (request is { Parts: null, IsAside: false, SentTimestamp: > 0 } && _completer.Responses is { } responses) responses.Cancelled(0, request.SentTimestamp, responses.Now);
        _metrics.RequestCancelled();
        if (waited) request.Payload.Release();
    }

    private void OnTimer()
    {
        Aftermath after;
        LateRequest[] late;
        lock (_gate)
        {
            if (!_timer.TryBegin()) return;
            _late.Clear();
            _dispatcher.CollectLate(_late);
            late = _late.Count == 0 ? [] : [.. _late.Select(request => LateRequest.Of((InferenceRequest)request))];
            foreach (var (request, place) in late)
            {
                if (place != ExpiredPlace.Queue) _frames.Cancel(request.Worker!, request);
            }

            _dispatcher.Wake();
            after = EndTurn();
        }

        after.Frames.Flush(evenIfBusy: true);
        foreach (var (request, place) in late)
        {
            if (request.TryFail(_errors.Expired(_time.GetElapsedTime(request.ArrivalTimestamp, request.DeadlineTimestamp))))
            {
                _metrics.RequestExpired(place);
                if (place != ExpiredPlace.Queue) CountFailure(request);
            }

            if (place == ExpiredPlace.Queue) request.Payload.Release();
        }

        after.End();
    }

    private ServiceUnavailableException Refuse(in Admission admission, int queued, TimeSpan timeout)
    {
        if (admission.Verdict == AdmissionVerdict.QueueFull)
        {
            _metrics.RequestRejected(RejectReason.QueueFull);
            return _errors.QueueFull(queued);
        }

        _metrics.RequestRejected(RejectReason.Deadline);
        return _errors.TooLate(_time.SpanOf(admission.PredictedTicks), timeout);
    }

    // Under the gate. Not where decoding takes long: those want a row before the next answer. Nor where the next answer may be
    // a part of a long one. By the batches of late: a size that no longer comes may have been measured on a bad day.
    private bool AnswersSoon => !(_booking.DecodeTicks >= _shortDecode) && !_booking.Streams && _dispatcher.Cost.HasEvidence && _dispatcher.Cost.Typical < _shortBatch;

    // Under the gate.
    private int Pending() => Waiting() + _dispatcher.OutstandingRows;

    // Under the gate.
    private int Waiting() => _dispatcher.QueuedRequests + _dispatcher.QuarantinedRequests;

    // Under the gate. A request that became late in line has left it, and waits for the timer to answer it.
    private bool IsIdle => Pending() == 0 && _dispatcher.NextWakeup == long.MaxValue;

    // Under the gate, last: what there is to do when it is released.
    private Aftermath EndTurn()
    {
        var refused = _refusal is null || Waiting() == 0 ? null : TakeRefused(_refusal);
        TaskCompletionSource? idle = null;
        if (_idle is not null && IsIdle) (idle, _idle) = (_idle, null);
        _timer.WakeAt(_dispatcher.NextWakeup);
        return new Aftermath(_touched.Take(), refused, idle);
    }

    // Under the gate.
    private RefusedRequests TakeRefused(Func<Exception> refusal)
    {
        List<ScheduledRequest> waiting = [];
        _dispatcher.RemoveWaiting(waiting);
        _metrics.SetQueueLength(0);
        return new RefusedRequests(waiting, refusal);
    }
}
