using Serve.Core.Configuration;

namespace Serve.Core.Scheduling;

/// <summary>
/// Sends what waits to workers that have credit for it: suspects to workers of their own, all others in their order, one by
/// one or, with <c>batching: delayed</c>, in batches. Part of the <see cref="Dispatcher"/>, under the same lock. Hot path.
/// </summary>
/// <param name="options">Batches, and when they close.</param>
/// <param name="queue">Who waits in line.</param>
/// <param name="quarantine">The suspects.</param>
/// <param name="choice">Which worker is best.</param>
/// <param name="prediction">What a wait would be.</param>
/// <param name="limit">How many may wait.</param>
/// <param name="time">The clock.</param>
/// <param name="sink">Carries it out.</param>
internal sealed class Placement(DispatcherOptions options, LaneQueue queue, Quarantine quarantine, WorkerChoice choice, WaitPrediction prediction, QueueLimit limit, TimeProvider time, IDispatchSink sink)
{
    private readonly bool _isDelayed = options.Mode == BatchingMode.Delayed;
    private readonly int _batchSize = options.BatchSize;
    private readonly long _maxBatchDelay = time.TicksOf(options.MaxBatchDelay);

    /// <summary>When a batch that is held for others to join leaves at the latest; <see cref="long.MaxValue"/>: none is held.</summary>
    public long NextRelease => _isDelayed && choice.Free() is not null && queue.Peek(time.GetTimestamp()) is { } first ? HeldUntil(first) : long.MaxValue;

    /// <summary>Sends all that can be sent now.</summary>
    public void Run(long now)
    {
        if (quarantine.HasWaiting) SendSuspects();
        var sent = _isDelayed ? SendDelayed(now) : SendAdaptive(now);
        if (!sent || !quarantine.IsOrdinaryTurn) return;

        quarantine.EndOrdinaryTurn();
        if (quarantine.HasWaiting) SendSuspects();
    }

    private bool SendAdaptive(long now)
    {
        var sent = false;
        while (PeekInTime(now) is { } request && choice.SoonestFor(request.Rows, now) is { } worker)
        {
            queue.Take(request, now);
            Send(worker, request, more: false);
            sent = true;
        }

        return sent;
    }

    /// <summary>TorchServe's rule: a full batch, or one whose oldest request has waited long enough, to a worker that has nothing.</summary>
    private bool SendDelayed(long now)
    {
        var sent = false;
        while (PeekInTime(now) is { } request && choice.Free() is { } worker)
        {
            var complete = request.IsAside // a question to the handler, which is in no batch
                || queue.Rows >= _batchSize
                || queue.Rows >= limit.Requests // else it would refuse requests while a worker is free
                || now >= HeldUntil(request);
            if (!complete) break;

            SendBatch(worker, request, now);
            sent = true;
        }

        return sent;
    }

    /// <summary>Until when a batch may wait to fill: the oldest has waited long enough, or the first in line would become late.</summary>
    private long HeldUntil(ScheduledRequest first) =>
        Math.Min(queue.OldestArrival + _maxBatchDelay, first.DeadlineTimestamp == long.MaxValue ? long.MaxValue : prediction.LatestBegin(first, queue.Rows));

    private void SendBatch(WorkerSlot worker, ScheduledRequest first, long now)
    {
        var room = Math.Min(_batchSize, worker.Credit);
        for (var request = first; request is not null;)
        {
            queue.Take(request, now);
            room -= request.Rows;
            var next = !request.IsAside && PeekInTime(now) is { IsAside: false } peeked && peeked.Rows <= room ? peeked : null;
            Send(worker, request, more: next is not null);
            request = next;
        }
    }

    private void SendSuspects()
    {
        while (quarantine.HasWaiting && quarantine.FindWorker(queue.Requests > 0) is { } worker)
        {
            var group = quarantine.Start(worker);
            while (group.Waiting.First is { } request)
            {
                quarantine.Take(request);
                Send(worker, request, more: !request.IsAside && group.Waiting.HasRows);
            }
        }
    }

    private void Send(WorkerSlot worker, ScheduledRequest request, bool more)
    {
        worker.Take(request);
        sink.Send(worker, request, more);
    }

    /// <summary>Who is next in line; those whose deadline has passed step aside for <see cref="Dispatcher.CollectLate"/>.</summary>
    private ScheduledRequest? PeekInTime(long now)
    {
        while (queue.Peek(now) is { } request)
        {
            if (request.DeadlineTimestamp > now) return request;
            queue.Remove(request);
            request.Place = RequestPlace.Late;
        }

        return null;
    }
}
