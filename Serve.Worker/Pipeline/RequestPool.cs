using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>Request objects that are free. As many exist as were ever outstanding at once, which the credit bounds.</summary>
/// <param name="sender">Where the frontend is told that payloads in its memory are read no longer. The frames leave with whatever is sent next.</param>
internal sealed class RequestPool(FrameSender? sender = null)
{
    private readonly Lock _gate = new();
    private readonly Stack<WorkerRequest> _free = new();

    /// <summary>Sends the requests' parts; set before the first is rented. Null: the handler answers whole.</summary>
    public PartSender? PartSender { private get; set; }

    public WorkerRequest Rent()
    {
        lock (_gate)
        {
            if (_free.TryPop(out var request)) return request;
        }

        return new WorkerRequest(PartSender);
    }

    public void Return(WorkerRequest request)
    {
        if (request.IsShared) sender?.Enqueue(FrameType.Freed, 0, request.Id, []);
        request.Clear();
        if (!request.IsReusable) return;
        lock (_gate) _free.Push(request);
    }
}
