using Serve.Core.Handlers;
using Serve.Core.Scheduling;

namespace Serve.Worker.Pipeline;

/// <summary>Requests that execute together. Reused; belongs to the device thread, then to the thread that answers.</summary>
internal sealed class Batch : IDisposable
{
    private readonly List<IDisposable> _outputs = [];
    private CancellationTokenSource _cancellation = new();
    private int _overCount;
    private bool _anyCancelled;
    private bool _isHandedOut;

    /// <summary>In the order of their rows.</summary>
    public List<WorkerRequest> Requests { get; } = [];

    /// <summary>The same requests as a batch handler sees them.</summary>
    public List<HandlerCall> Calls { get; } = [];

    /// <summary>Requests whose deadline had passed, or could not be kept any more, when the batch was closed; not part of it.</summary>
    public List<WorkerRequest> Late { get; } = [];

    /// <summary>Rows that the requests fill together.</summary>
    public int Rows { get; private set; }

    /// <summary>When its execution began: Begun is in the socket by then.</summary>
    public long ExecutionTimestamp { get; set; }

    public long ExecutedTimestamp { get; set; }

    /// <summary>Whether any of the requests carries tensors.</summary>
    public bool CarriesTensors { get; private set; }

    /// <summary>Whether parts of answers were sent, so that how long it executes is the requests' own affair.</summary>
    public bool Streams { get; set; }

    /// <summary>Why the device takes no more work from this process; null: it does. The process leaves when the batch is answered.</summary>
    public Exception? DeviceLoss { get; set; }

    /// <summary>Cancelled when nobody waits for any of the answers any more.</summary>
    public CancellationToken Cancellation => _cancellation.Token;

    /// <summary>Fills this batch with what is ready.</summary>
    public void CloseFrom(BatchFormer<WorkerRequest> former, long now, int maxRows)
    {
        Rows = former.Close(now, maxRows, Requests, Late);
        foreach (var request in Requests)
        {
            Calls.Add(request.Call);
            CarriesTensors |= request.Request.CarriesTensors;
        }
    }

    /// <summary>Keeps memory that the requests' outputs lie in until they are answered.</summary>
    public void Keep(IDisposable outputs) => _outputs.Add(outputs);

    public void ReleaseOutputs()
    {
        foreach (var outputs in _outputs) outputs.Dispose();
        _outputs.Clear();
    }

    /// <summary>One of the requests was cancelled, or has ended before the batch; under the lock of <see cref="PendingRequests"/>.</summary>
    /// <returns>What to cancel when it was the last one that somebody waited for.</returns>
    public CancellationTokenSource? CountOver(WorkerRequest request)
    {
        _anyCancelled |= request.IsCancelled;
        if (request.IsOver) return null;
        request.IsOver = true;
        if (++_overCount < Requests.Count || !_anyCancelled) return null;
        _isHandedOut = true;
        return _cancellation;
    }

    public void Clear()
    {
        ReleaseOutputs();
        Requests.Clear();
        Calls.Clear();
        Late.Clear();
        Rows = 0;

        // A source that was handed out may be cancelled at any later time: it must not reach the next batch.
        if (_isHandedOut) _cancellation = new CancellationTokenSource();
        DeviceLoss = null;
        _overCount = 0;
        _anyCancelled = _isHandedOut = Streams = CarriesTensors = false;
    }

    public void Dispose()
    {
        ReleaseOutputs();
        _cancellation.Dispose();
    }
}
