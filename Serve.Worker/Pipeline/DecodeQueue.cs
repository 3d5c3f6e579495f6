namespace Serve.Worker.Pipeline;

/// <summary>Requests that wait for a decode thread: by lane, then in the order of their arrival.</summary>
internal sealed class DecodeQueue
{
    private readonly object _gate = new();
    private readonly PriorityQueue<WorkerRequest, (int Lane, long Sequence)> _waiting = new();
    private long _sequence;
    private int _idleThreads;
    private bool _isClosed;

    public int Count
    {
        get
        {
            lock (_gate) return _waiting.Count;
        }
    }

    public void Add(WorkerRequest request)
    {
        lock (_gate)
        {
            _waiting.Enqueue(request, (request.Lane, ++_sequence));
            if (_idleThreads > 0) Monitor.Pulse(_gate);
        }
    }

    /// <summary>Waits for a request.</summary>
    /// <returns>Null when the worker leaves.</returns>
    public WorkerRequest? Take()
    {
        lock (_gate)
        {
            while (true)
            {
                if (_isClosed) return null;
                if (_waiting.TryDequeue(out var request, out _)) return request;
                _idleThreads++;
                Monitor.Wait(_gate);
                _idleThreads--;
            }
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }
    }
}
