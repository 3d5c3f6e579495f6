using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Tracing;

namespace Serve.Core.Workers;

/// <summary>
/// The requests of one model version between their arrival and their answer: one short lock around the
/// <see cref="Dispatcher"/>, taken by requests and by the workers' readers. Bytes are sent after the lock is
/// released, and before anything is completed: feeding the device comes first.
/// </summary>
internal sealed class InferenceScheduler : IDispatchSink, IDisposable
{
    private readonly Lock _gate = new();
    private readonly long _shortBatch;
    private readonly long _partTimeout;
    private readonly Dispatcher _dispatcher;
    private readonly AnswerCompleter _completer;
    private readonly TimeProvider _time;
    private readonly ModelMetrics _metrics;
    private readonly ModelConfiguration _configuration;
    private readonly string _title;
    private readonly ITimer _timer;
    private readonly List<IRequestTarget> _touched = [];
    private readonly List<ScheduledRequest> _late = [];
    private readonly List<ScheduledRequest> _failed = [];
    private readonly List<RequestTrace> _traced = [];
    private readonly Action<object?> _clientLeft;
    private TaskCompletionSource? _idle;
    private long _timerDue = long.MaxValue;
    private ulong _lastId;
    private bool _isDisposed;
    private bool _decodes;
    private bool _streams;

    /// <summary>Creates the scheduler of one version.</summary>
    /// <param name="title">The version as error messages name it, for example <c>model "m", version 1.0</c>.</param>
    /// <param name="configuration">The version's configuration.</param>
    /// <param name="completeInline">Whether answers are completed by the workers' readers as far as that does not hold up the next chunk.</param>
    /// <param name="time">The clock.</param>
    /// <param name="metrics">The version's instruments.</param>
    /// <param name="log">The version's log.</param>
    public InferenceScheduler(string title, ModelConfiguration configuration, bool completeInline, TimeProvider time, ModelMetrics metrics, ILogger log)
    {
        _title = title;
        _configuration = configuration;
        _completer = new AnswerCompleter(completeInline, time, metrics, log);
        _time = time;
        _partTimeout = Ticks(configuration.ResponseTimeout);
        _shortBatch = Ticks(TimeSpan.FromMilliseconds(0.2));
        _metrics = metrics;
        _dispatcher = new Dispatcher(
            new DispatcherOptions
            {
                MaxQueueSize = configuration.MaxQueueSize,
                LatencyTarget = configuration.LatencyTarget ?? configuration.ResponseTimeout,
                StarvationLimit = StarvationLimit(configuration),
                Instances = configuration.Instances,
                Lanes = configuration.PriorityLevels,
                Mode = configuration.Batching,
                BatchSize = configuration.BatchSize,
                MaxBatchDelay = configuration.MaxBatchDelay,
            },
            time,
            this);
        _clientLeft = state => Abandon((InferenceRequest)state!);
        _timer = time.CreateTimer(static state => ((InferenceScheduler)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
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
            lock (_gate) return _dispatcher.QueuedRequests + _dispatcher.QuarantinedRequests;
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

            Tally Tally(BatchSizeTally size, long ticks) => new(size.Batches, TimeSpan.FromSeconds(ticks / (double)_time.TimestampFrequency));
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
    /// <exception cref="ServiceUnavailableException">The queue is full, or the answer would come too late.</exception>
    public ValueTask<InferenceResponse> Submit(RequestPayload payload, int lane, TimeSpan timeout, bool isClients, CancellationToken clientGone, int rows = 1)
    {
        var now = _time.GetTimestamp();
        var request = new InferenceRequest(payload)
        {
            Id = Interlocked.Increment(ref _lastId),
            Lane = lane,
            Rows = rows,
            ArrivalTimestamp = now,
            DeadlineTimestamp = now + (long)(timeout.TotalSeconds * _time.TimestampFrequency),
            PartsMoveDeadline = !isClients,
        };
        payload.Trace?.QueuedTimestamp = now;
        Admission admission;
        int queued;
        bool answersSoon;
        Touched touched;
        lock (_gate)
        {
            admission = _dispatcher.Admit(request);
            queued = _dispatcher.QueuedRequests;
            answersSoon = AnswersSoon;
            touched = TakeTouched();
            Rearm();
        }

        // Frames to a worker that is busy for microseconds go out with its next answer, which comes before another thread
        // could be woken to send them.
        if (!answersSoon || touched.WasIdle || touched.Many is not null) touched.Flush(evenIfBusy: false);
        _metrics.SetQueueLength(queued);
        if (!admission.IsAdmitted)
        {
            payload.Release();
            request.TryFail(Refuse(admission, queued, timeout));
        }
        else if (clientGone.CanBeCanceled)
        {
            request.WatchClient(_clientLeft, clientGone);
        }

        return request.Answer;
    }

    /// <summary>A worker is ready.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="credit">Rows that it wants outstanding.</param>
    /// <param name="warmUp">What its batches took before it was ready.</param>
    public void AddWorker(IRequestTarget worker, int credit, IReadOnlyList<WarmUpTime>? warmUp)
    {
        Touched touched;
        lock (_gate)
        {
            foreach (var run in warmUp ?? []) _dispatcher.Cost.Learn(Math.Max(1, run.Rows), Ticks(TimeSpan.FromMicroseconds(Math.Max(0, run.Microseconds))));
            worker.Slot = _dispatcher.AddWorker(worker, credit);
            touched = TakeTouched();
            Rearm();
        }

        touched.Flush(evenIfBusy: true);
    }

    /// <summary>Applies one chunk of a worker's frames. Hot path; the worker's reader calls it.</summary>
    /// <returns>Whether its next answers come within microseconds.</returns>
    public bool Apply(IRequestTarget worker, List<LinkEvent> events, List<ulong> ids, List<Completion> completions)
    {
        var now = _time.GetTimestamp();
        var at = 0;
        Touched touched;
        int queued;
        TaskCompletionSource? idle = null;
        bool answersSoon;
        lock (_gate)
        {
            if (worker.Slot is not { } slot) return false;
            foreach (var e in events)
            {
                switch (e.Type)
                {
                    case FrameType.Output when e.IsLast:
                        if (ApplyOutput(slot, e) is { } request) completions.Add(new Completion(request, e.Response, e.Error));
                        else e.Response?.Dispose();
                        break;
                    case FrameType.Output:
                        if (!ApplyPart(slot, e, completions)) e.Response?.Dispose();
                        break;
                    case FrameType.Begun:
                        var begun = Slice(ids, ref at, e.Count);
                        if (_dispatcher.Begun(slot, begun) is not (> 0 and var rows)) break;
                        _metrics.BatchBegun(rows);
                        if (SpanSource.IsOn) TraceBatch(slot, begun, rows, now);
                        break;
                    case FrameType.Returned:
                        _dispatcher.Returned(slot, Slice(ids, ref at, e.Count));
                        break;
                    case FrameType.Grant:
                        _dispatcher.Grant(slot, e.Count);
                        break;
                }
            }

            touched = TakeTouched();
            queued = _dispatcher.QueuedRequests;
            answersSoon = AnswersSoon;
            if (_idle is not null && Pending() == 0) (idle, _idle) = (_idle, null);
            Rearm();
        }

        touched.Flush(evenIfBusy: true);

        // Also what request threads left to this answer: see Submit.
        worker.Flush(onThisThread: true);
        worker.HasServed |= completions.Count > 0;
        _metrics.SetQueueLength(queued);
        _completer.CompleteAll(completions, now);
        idle?.TrySetResult();
        return answersSoon;
    }

    /// <summary>A worker is gone: what it had runs elsewhere; what killed it is left to <see cref="FailLost"/>.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="reason">Why.</param>
    /// <param name="failed">Requests that are not run again.</param>
    /// <returns>Whether suspects that ran apart from others explain the death.</returns>
    public bool RemoveWorker(IRequestTarget worker, WorkerLossReason reason, out ScheduledRequest[] failed)
    {
        Touched touched;
        TaskCompletionSource? idle = null;
        bool isExplained;
        lock (_gate)
        {
            failed = [];
            if (worker.Slot is not { } slot) return false;
            var running = slot.OutstandingRequests;
            _failed.Clear();
            isExplained = _dispatcher.RemoveWorker(slot, reason, _failed);
            worker.Slot = null;
            failed = [.. _failed];
            for (var i = failed.Length; i < running; i++) _metrics.RequestRetried();
            touched = TakeTouched();
            if (_idle is not null && Pending() == 0) (idle, _idle) = (_idle, null);
            Rearm();
        }

        touched.Flush(evenIfBusy: true);
        idle?.TrySetResult();
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
            var isFirst = request.TryFail(reason == WorkerLossReason.TimedOut
                ? new ResponseTimeoutException($"No answer within {_configuration.ResponseTimeout.TotalSeconds:0.###} s (responseTimeout); the worker was replaced.")
                : new WorkerDiedException(request.AnswerStarted
                    ? $"Worker died. {how}, in the middle of the answer."
                    : $"Worker died. This request, run alone, ended {request.SoloDeaths} workers of {_title}; the last: {how}. It is not tried again."));
            if (isFirst) CountFailure(request);
            request.Payload.Release();
        }
    }

    // Of a request that came to a worker, and failed before its first response: later ones are counted by those who write them.
    private void CountFailure(InferenceRequest request)
    {
        if (request.Parts is null && _completer.Responses is { } responses) responses.Failed(0, request.SentTimestamp, responses.Now);
    }

    /// <summary>Gives a worker nothing more.</summary>
    /// <returns>Whether it has nothing any more.</returns>
    public bool DrainWorker(IRequestTarget worker)
    {
        Touched touched;
        bool isEmpty;
        lock (_gate)
        {
            if (worker.Slot is not { } slot) return true;
            _dispatcher.Drain(slot);
            isEmpty = slot.OutstandingRequests == 0;
            touched = TakeTouched();
            Rearm();
        }

        touched.Flush(evenIfBusy: true);
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

    /// <summary>Answers everything that waits with an error; what workers have stays theirs.</summary>
    public void FailQueued(Func<Exception> error)
    {
        List<InferenceRequest> waiting = [];
        TaskCompletionSource? idle = null;
        lock (_gate)
        {
            List<ScheduledRequest> found = [];
            _dispatcher.RemoveWaiting(found);
            foreach (InferenceRequest request in found) waiting.Add(request);
            if (_idle is not null && Pending() == 0) (idle, _idle) = (_idle, null);
        }

        foreach (var request in waiting)
        {
            request.TryFail(error());
            request.Payload.Release();
        }

        _metrics.SetQueueLength(0);
        idle?.TrySetResult();
    }

    /// <summary>Completes when nothing waits and nothing runs.</summary>
    public Task WhenIdle()
    {
        lock (_gate)
        {
            if (Pending() == 0) return Task.CompletedTask;
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    /// <summary>Stops the timer. Every request has been answered before.</summary>
    public void Dispose()
    {
        lock (_gate) _isDisposed = true;
        _timer.Dispose();
    }

    void IDispatchSink.Send(WorkerSlot worker, ScheduledRequest request, bool more)
    {
        var now = _time.GetTimestamp();
        var mine = (InferenceRequest)request;
        mine.SentTimestamp = now;
        mine.Payload.Trace?.Sent(now);
        Touch((IRequestTarget)worker.Owner, worker.OutstandingRequests == 1);
        var left = request.DeadlineTimestamp == long.MaxValue ? -1 : Math.Max(0, (long)((request.DeadlineTimestamp - now) * 1e6 / _time.TimestampFrequency));
        RunFrame.Enqueue(((IRequestTarget)worker.Owner).Sender, request.Id, more, left, request.Rows, request.Lane, mine.Payload);
    }

    void IDispatchSink.Recall(WorkerSlot worker, int rows)
    {
        Touch((IRequestTarget)worker.Owner, isIdle: false);
        Span<byte> body = stackalloc byte[4];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(body, rows);
        ((IRequestTarget)worker.Owner).Sender.Enqueue(FrameType.Recall, 0, 0, body);
    }

    void IDispatchSink.Released(ScheduledRequest request) => ((InferenceRequest)request).Payload.Release();

    // Under the gate.
    private void TraceBatch(WorkerSlot slot, ReadOnlySpan<ulong> ids, int rows, long now)
    {
        _traced.Clear();
        foreach (var id in ids)
        {
            if (slot.Find(id) is InferenceRequest { IsAbandoned: false, Payload.Trace: { } trace }) _traced.Add(trace);
        }

        if (_traced.Count == 0) return;
        var batch = new BatchTrace(rows, ids.Length, now, _traced.Count);
        foreach (var trace in _traced) if (!trace.Join(batch)) batch.Without();
        _traced.Clear();
    }

    // Under the gate. The request to answer, or null when nobody waits.
    private InferenceRequest? ApplyOutput(WorkerSlot slot, in LinkEvent e)
    {
        if (slot.Find(e.Id) is not InferenceRequest request) return null;
        var isWanted = !request.IsAbandoned;
        _decodes |= e.Response is { Times.Decode: > 0 };
        if (e.Error is ServeException { Status: 504 } && request.Place == RequestPlace.Sent) _dispatcher.GiveUp(slot, request);
        else _dispatcher.Complete(slot, request, e.Response is { } response ? TicksOf(response.Times) : default);
        return isWanted ? request : null;
    }

    // Under the gate. Whether the part goes to its request.
    private bool ApplyPart(WorkerSlot slot, in LinkEvent e, List<Completion> completions)
    {
        if (slot.Find(e.Id) is not InferenceRequest { IsAbandoned: false } request || e.Response is not { } part) return false;
        if (request.Parts is not { } parts)
        {
            request.Parts = part.Parts = new AnswerParts(this, request, part, _completer.Responses);
        }
        else if (parts.Waiting < PartWindow.SizeBytes)
        {
            parts.Waiting += PartWindow.CostOf(part.Body.Length);
        }
        else
        {
            // A client that reads slowly must not cost memory without bound, whatever the worker does.
            _dispatcher.Remove(request);
            EnqueueCancel(slot, request);
            completions.Add(new Completion(request, null, new InternalServerException($"The worker of {_title} sent more parts than the client had room for."), IsLast: false));
            return false;
        }

        _streams = true;
        _dispatcher.Streamed(slot, request, _partTimeout);
        completions.Add(new Completion(request, part, null, IsLast: false));
        return true;
    }

    /// <summary>The client has taken parts of an answer: its worker may send as much again.</summary>
    /// <param name="request">The request.</param>
    /// <param name="parts">Its answer.</param>
    /// <param name="cost">What the parts cost.</param>
    public void Take(InferenceRequest request, AnswerParts parts, long cost)
    {
        Touched touched;
        lock (_gate)
        {
            parts.Waiting -= cost;
            if (request is not { IsAbandoned: false, Worker: { } slot }) return;
            var worker = (IRequestTarget)slot.Owner;
            Touch(worker, isIdle: false);
            PartWindow.EnqueueTaken(worker.Sender, request.Id, cost);
            _dispatcher.Streamed(slot, request, _partTimeout);
            touched = TakeTouched();
        }

        touched.Flush(evenIfBusy: true);
    }

    private BatchTicks TicksOf(in OutputTimes times) => new(Ticks(Microseconds(times.Decode)), Ticks(Microseconds(times.Execute)), Ticks(Microseconds(times.Encode)));

    private static TimeSpan Microseconds(long value) => TimeSpan.FromTicks(value * TimeSpan.TicksPerMicrosecond);

    /// <summary>The client has left, or takes no more parts: on the thread that noticed.</summary>
    public void Abandon(InferenceRequest request)
    {
        Touched touched;
        bool waited;
        TaskCompletionSource? idle = null;
        lock (_gate)
        {
            waited = _dispatcher.Remove(request);
            if (!waited && request.Worker is { } worker) EnqueueCancel(worker, request);
            touched = TakeTouched();
            if (_idle is not null && Pending() == 0) (idle, _idle) = (_idle, null);
        }

        touched.Flush(evenIfBusy: true);
        idle?.TrySetResult();
        if (!request.TryFail(new ClientGoneException())) return;
        if (request.Parts is null && _completer.Responses is { } responses && request.SentTimestamp > 0) responses.Cancelled(0, request.SentTimestamp, responses.Now);
        _metrics.RequestCancelled();
        if (waited) request.Payload.Release();
    }

    private void OnTimer()
    {
        Touched touched;
        Late[] late;
        TaskCompletionSource? idle = null;
        lock (_gate)
        {
            if (_isDisposed) return;
            _timerDue = long.MaxValue;
            _late.Clear();
            _dispatcher.CollectLate(_late);
            late = _late.Count == 0 ? [] : [.. _late.Select(request => Late.Of((InferenceRequest)request))];
            foreach (var (request, place) in late)
            {
                if (place != ExpiredPlace.Queue) EnqueueCancel(request.Worker!, request);
            }

            _dispatcher.Wake();
            touched = TakeTouched();
            if (_idle is not null && Pending() == 0) (idle, _idle) = (_idle, null);
            Rearm();
        }

        touched.Flush(evenIfBusy: true);
        foreach (var (request, place) in late)
        {
            var limit = Name(_time.GetElapsedTime(request.ArrivalTimestamp, request.DeadlineTimestamp));
            if (request.TryFail(new ResponseTimeoutException($"No answer of {_title} within {limit}.")))
            {
                _metrics.RequestExpired(place);
                if (place != ExpiredPlace.Queue) CountFailure(request);
            }

            if (place == ExpiredPlace.Queue) request.Payload.Release();
        }

        idle?.TrySetResult();
    }

    private ServiceUnavailableException Refuse(in Admission admission, int queued, TimeSpan timeout)
    {
        if (admission.Verdict == AdmissionVerdict.QueueFull)
        {
            _metrics.RequestRejected(RejectReason.QueueFull);
            return new ServiceUnavailableException($"The queue of {_title} is full: {queued} requests wait (maxQueueSize). Try again later, or scale its workers.", TimeSpan.FromSeconds(1));
        }

        _metrics.RequestRejected(RejectReason.Deadline);
        var predicted = TimeSpan.FromSeconds(admission.PredictedTicks / (double)_time.TimestampFrequency);
        return new ServiceUnavailableException(
            $"The answer of {_title} would take {predicted.TotalMilliseconds:0} ms now, longer than {Name(timeout)}. Try again later, or scale its workers.",
            predicted - timeout);
    }

    // A request's time as messages name it.
    private string Name(TimeSpan timeout)
    {
        if (timeout >= _configuration.ResponseTimeout - TimeSpan.FromMilliseconds(1)) return $"{_configuration.ResponseTimeout.TotalSeconds:0.###} s (responseTimeout)";
        var isTarget = _configuration.LatencyTarget is { } target && (timeout - target).Duration() < TimeSpan.FromMilliseconds(1);
        return $"{timeout.TotalMilliseconds:0} ms, {(isTarget ? "the model's latencyTarget" : "the request's deadline")}";
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    // A lane that waits must be lifted while its requests can still be in time.
    private static TimeSpan StarvationLimit(ModelConfiguration configuration)
    {
        var limit = new DispatcherOptions().StarvationLimit;
        return configuration.LatencyTarget / 2 is { } half && half < limit ? half : limit;
    }

    private void EnqueueCancel(WorkerSlot slot, InferenceRequest request)
    {
        var worker = (IRequestTarget)slot.Owner;
        Touch(worker, isIdle: false);
        worker.Sender.Enqueue(FrameType.Cancel, 0, request.Id, []);
    }

    // Under the gate. Not where rows are decoded, or several batches run at once: those want a row before the next answer.
    // Nor where the next answer may be a part of a long one.
    private bool AnswersSoon => !_decodes && !_streams && _configuration.Instances == 1 && _dispatcher.Cost.HasEvidence && _dispatcher.Cost.Mean(_configuration.BatchSize) < _shortBatch;

    // Under the gate.
    private int Pending() => _dispatcher.QueuedRequests + _dispatcher.QuarantinedRequests + _dispatcher.OutstandingRows;

    // Under the gate.
    private void Rearm()
    {
        var next = _dispatcher.NextWakeup;
        if (next >= _timerDue || _isDisposed) return;
        _timerDue = next;
        var due = _time.GetElapsedTime(_time.GetTimestamp(), next);
        _timer.Change(due <= TimeSpan.Zero ? TimeSpan.Zero : due + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
    }

    // Under the gate: whose sender has frames to send, and whether the worker was idle before.
    private void Touch(IRequestTarget worker, bool isIdle)
    {
        if (!worker.IsTouched)
        {
            worker.IsTouched = true;
            worker.WasIdle = isIdle;
            _touched.Add(worker);
        }
    }

    // Under the gate.
    private Touched TakeTouched()
    {
        switch (_touched.Count)
        {
            case 0:
                return default;
            case 1:
                var only = _touched[0];
                only.IsTouched = false;
                _touched.Clear();
                return new Touched(only, only.WasIdle, null);
            default:
                var all = _touched.ToArray();
                foreach (var worker in all) worker.IsTouched = false;
                _touched.Clear();
                return new Touched(null, false, all);
        }
    }

    private static ReadOnlySpan<ulong> Slice(List<ulong> ids, ref int at, int count)
    {
        var slice = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids).Slice(at, count);
        at += count;
        return slice;
    }

    /// <summary>A request whose deadline has passed, and where it was then: told under the gate, for its worker may answer meanwhile.</summary>
    private readonly record struct Late(InferenceRequest Request, ExpiredPlace Place)
    {
        public static Late Of(InferenceRequest request) => new(request, request switch
        {
            { Worker: null } => ExpiredPlace.Queue,
            { Place: RequestPlace.Begun } => ExpiredPlace.Running,
            _ => ExpiredPlace.Worker,
        });
    }

    /// <summary>Workers whose senders have something to send once the lock is released.</summary>
    private readonly record struct Touched(IRequestTarget? Only, bool WasIdle, IRequestTarget[]? Many)
    {
        /// <summary>
        /// Sends. A request's thread sends itself only to a worker that had nothing: the shortest way. To a busy one the
        /// sender's thread sends, so that frames of many requests leave in one system call.
        /// </summary>
        public void Flush(bool evenIfBusy)
        {
            Only?.Flush(onThisThread: evenIfBusy || WasIdle);
            if (Many is null) return;
            foreach (var worker in Many) worker.Flush(onThisThread: evenIfBusy);
        }
    }
}
