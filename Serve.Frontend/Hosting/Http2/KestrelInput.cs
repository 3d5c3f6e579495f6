using System.Buffers;
using System.IO.Pipelines;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// What Kestrel reads of a connection: the frames that are forwarded to it, and those that are made for it. Kestrel, and the
/// requests that it begins, go on where it is flushed, on the same thread; but not before the gate is left, to which they come
/// back.
/// </summary>
/// <remarks>Everything is called under the gate, if nothing else is said.</remarks>
internal sealed class KestrelInput
{
    private readonly Lock _gate;
    private readonly Waiting _kestrel;
    private readonly Pipe _pipe;
    private bool _hasWritten;
    private bool _isBehind;
    private bool _isComplete;

    /// <param name="gate">The gate.</param>
    public KestrelInput(Lock gate)
    {
        (_gate, _kestrel) = (gate, new Waiting(gate));
        _pipe = new Pipe(new PipeOptions(readerScheduler: _kestrel, writerScheduler: PipeScheduler.ThreadPool, useSynchronizationContext: false));
    }

    /// <summary>Kestrel's end of it.</summary>
    public PipeReader Reader => _pipe.Reader;

    /// <summary>Writes the head of a frame.</summary>
    public void Write(FrameHead head)
    {
        head.Write(_pipe.Writer.GetSpan(FrameHead.Bytes));
        _pipe.Writer.Advance(FrameHead.Bytes);
        _hasWritten = true;
    }

    /// <summary>Writes bytes of frames.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        _pipe.Writer.Write(bytes);
        _hasWritten = true;
    }

    /// <summary>Takes bytes off what has arrived, and writes them.</summary>
    /// <param name="arrived">What has arrived.</param>
    /// <param name="most">So many at most.</param>
    /// <returns>How many they were.</returns>
    public int Forward(ref ReadOnlySequence<byte> arrived, int most)
    {
        var length = (int)Math.Min(most, arrived.Length);
        foreach (var segment in arrived.Slice(0, length)) Write(segment.Span);
        arrived = arrived.Slice(length);
        return length;
    }

    /// <summary>Outside the gate: has Kestrel read what was written, and waits until it has kept up.</summary>
    /// <returns>Whether it reads any more.</returns>
    public async ValueTask<bool> FlushAsync()
    {
        while (true)
        {
            ValueTask<FlushResult> keptUp;
            lock (_gate)
            {
                if (!_hasWritten) return true;
                _hasWritten = false;
                keptUp = _pipe.Writer.FlushAsync();
                _isBehind = !keptUp.IsCompleted;
            }

            GoOn(reads: true);
            if ((await keptUp).IsCompleted) return false;
            lock (_gate) _isBehind = false;
        }
    }

    /// <summary>Gives Kestrel what was written; <see cref="GoOn"/> or <see cref="GoOnElsewhere"/> is to follow outside the gate.</summary>
    public void Flush()
    {
        // Who waits for Kestrel does it afterwards: a flush while another one is under way would make it wait again.
        if (!_hasWritten || _isComplete || _isBehind) return;
        _hasWritten = false;
        var flushed = _pipe.Writer.FlushAsync();
        if (flushed.IsCompleted) flushed.GetAwaiter().GetResult();
    }

    /// <summary>Nothing follows; <see cref="GoOn"/> likewise.</summary>
    /// <param name="error">Why, for Kestrel; null: it is the connection's end.</param>
    public void Complete(Exception? error)
    {
        _isComplete = true;
        _pipe.Writer.Complete(error);
    }

    /// <summary>Outside the gate: Kestrel goes on here, if it has been given something.</summary>
    /// <param name="reads">Whether it also reads the frames here, and begins requests; else a thread of the pool does.</param>
    public void GoOn(bool reads)
    {
        var (action, state) = _kestrel.Take();
        if (reads && action is not null) FrameScheduler.Give(action, state);
        else action?.Invoke(state);
    }

    /// <summary>Outside the gate: Kestrel goes on on a thread of the pool.</summary>
    public void GoOnElsewhere()
    {
        var (action, state) = _kestrel.Take();
        if (action is not null) ThreadPool.UnsafeQueueUserWorkItem(action, state, preferLocal: false);
    }

    /// <summary>Keeps what waits for the pipe until the gate is left.</summary>
    private sealed class Waiting(Lock gate) : PipeScheduler
    {
        private Action<object?>? _action;
        private object? _state;

        // Kestrel wakes itself too, when it stops reading: then nobody else would.
        public override void Schedule(Action<object?> action, object? state)
        {
            if (gate.IsHeldByCurrentThread) (_action, _state) = (action, state);
            else action(state);
        }

        public (Action<object?>? Action, object? State) Take()
        {
            lock (gate)
            {
                var kept = (_action, _state);
                (_action, _state) = (null, null);
                return kept;
            }
        }
    }
}
