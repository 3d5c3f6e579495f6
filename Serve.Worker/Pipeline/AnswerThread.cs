namespace Serve.Worker.Pipeline;

/// <summary>
/// Answers batches while the device executes the next one. Used when another batch is waiting; else the device thread
/// answers itself, which saves the hop.
/// </summary>
internal sealed class AnswerThread(PendingRequests pending, AnswerWriter answers)
{
    private readonly object _gate = new();
    private readonly Queue<Batch> _executed = new();
    private readonly Stack<Batch> _free = new();
    private bool _isClosed;

    /// <summary>A batch to fill. There are as many as are ever in flight, which the credit bounds.</summary>
    public Batch Rent()
    {
        lock (_gate) return _free.TryPop(out var batch) ? batch : new Batch();
    }

    /// <summary>Leaves an executed batch to this thread.</summary>
    public void Enqueue(Batch batch)
    {
        lock (_gate)
        {
            _executed.Enqueue(batch);
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Answers an executed batch on the calling thread.</summary>
    /// <returns>Ticks of the clock that it took to write the answers, sending them not counted.</returns>
    public long Answer(Batch batch)
    {
        var wrote = answers.WriteBatch(batch);
        answers.Flush();
        pending.Finish(batch);
        batch.Clear();
        lock (_gate) _free.Push(batch);
        return wrote;
    }

    /// <summary>Answers a batch after which the process ends, and those that wait here: returns when the answers are in the socket.</summary>
    public void AnswerLast(Batch batch)
    {
        lock (_gate)
        {
            while (_executed.TryDequeue(out var earlier)) answers.WriteBatch(earlier);
        }

        answers.WriteBatch(batch);
        answers.FlushAndWait();
    }

    /// <summary>Runs until the worker leaves.</summary>
    public void Run()
    {
        while (Take() is { } batch) Answer(batch);
    }

    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }
    }

    private Batch? Take()
    {
        lock (_gate)
        {
            while (!_isClosed)
            {
                if (_executed.TryDequeue(out var batch)) return batch;
                Monitor.Wait(_gate);
            }

            return null;
        }
    }
}
