using System.Buffers.Binary;
using Serve.Core.Models;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>
/// What is decided about requests, as frames in the workers' senders. They leave when the scheduler's lock, to which this
/// belongs, is released. Hot path.
/// </summary>
/// <param name="touched">Notes who has frames now.</param>
/// <param name="time">The clock.</param>
internal sealed class DispatchFrames(TouchedWorkers touched, TimeProvider time) : IDispatchSink
{
    /// <inheritdoc/>
    public void Send(WorkerSlot worker, ScheduledRequest request, bool more)
    {
        var now = time.GetTimestamp();
        var mine = (InferenceRequest)request;
        mine.SentTimestamp = now;
        mine.Payload.Trace?.Sent(now);
        var left = request.DeadlineTimestamp == long.MaxValue ? -1 : Math.Max(0, (long)((request.DeadlineTimestamp - now) * 1e6 / time.TimestampFrequency));
        var isShared = mine.Payload.Shared is { } body && ((IRequestTarget)worker.Owner).Holds?.TryHold(request.Id, body) == true;
        RunFrame.Enqueue(Touch(worker, wasIdle: worker.OutstandingRequests == 1), request.Id, more, left, request.Rows, request.Lane, mine.Payload, isShared);
    }

    /// <inheritdoc/>
    public void Recall(WorkerSlot worker, int rows)
    {
        Span<byte> body = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(body, rows);
        Touch(worker, wasIdle: false).Enqueue(FrameType.Recall, 0, 0, body);
    }

    /// <inheritdoc/>
    public void Released(ScheduledRequest request) => ((InferenceRequest)request).Payload.Release();

    /// <summary>Nobody wants the answer any more.</summary>
    public void Cancel(WorkerSlot worker, ScheduledRequest request) => Touch(worker, wasIdle: false).Enqueue(FrameType.Cancel, 0, request.Id, []);

    /// <summary>The client has taken parts of an answer.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="request">The request.</param>
    /// <param name="cost">What the parts cost: see <see cref="PartWindow"/>.</param>
    public void Taken(WorkerSlot worker, ScheduledRequest request, long cost) => PartWindow.EnqueueTaken(Touch(worker, wasIdle: false), request.Id, cost);

    private FrameSender Touch(WorkerSlot worker, bool wasIdle)
    {
        var target = (IRequestTarget)worker.Owner;
        touched.Add(target, wasIdle);
        return target.Sender;
    }
}
