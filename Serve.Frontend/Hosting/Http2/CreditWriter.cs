using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// A connection's output, into which frames of WINDOW_UPDATE (RFC 9113, section 6.9) are put between those of Kestrel: with
/// what Kestrel sends next or, where a client may soon have to stop, at once.
/// </summary>
/// <remarks>
/// Whatever Kestrel has written when it flushes is whole frames: it writes them under a lock of its own. It writes nothing
/// while a flush of its own is under way, and knows nothing of one of ours: what it writes meanwhile waits here.
/// </remarks>
/// <param name="connection">Where to.</param>
/// <param name="windowBytes">What the connection's client may send before it is allowed more.</param>
internal sealed class CreditWriter(PipeWriter connection, int windowBytes) : PipeWriter, IThreadPoolWorkItem
{
    private const int MostIdleBeats = 5;
    private const int UpdateBytes = FrameHead.Bytes + sizeof(int);

    private readonly Lock _gate = new();
    private readonly List<(int Stream, int Bytes)> _streams = [];
    private readonly ArrayBufferWriter<byte> _meanwhile = new();
    private int _owed;
    private bool _isAsked;

    // Kestrel has begun what it has not flushed; and so many beats ago it did.
    private bool _isWriting;
    private int _idleBeats;
    private bool _isFlushing;
    private bool _isMeanwhile;

    private bool _isComplete;
    private bool _isCompletionDue;
    private Exception? _completion;

    // A flush of ours.
    private TaskCompletionSource? _own;

    public override bool CanGetUnflushedBytes => connection.CanGetUnflushedBytes;

    public override long UnflushedBytes => connection.UnflushedBytes + _meanwhile.WrittenCount;

    /// <summary>What the client may send on the connection and was not told of.</summary>
    public int Untold
    {
        get
        {
            lock (_gate) return _owed;
        }
    }

    // Half of it: then updates are on their way before a client has to stop.
    private bool IsUrgent => _owed >= windowBytes / 2 || _streams.Count > 0 || (_isAsked && _owed > 0);

    /// <summary>Allows the client to send more on the connection; it is told when that is worth a frame.</summary>
    public void Allow(int bytes)
    {
        lock (_gate)
        {
            _owed += bytes;
            if (!IsUrgent) return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Allows the client to send more on one stream, and tells it at once.</summary>
    public void Allow(int stream, int bytes)
    {
        lock (_gate) _streams.Add((stream, bytes));
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Has the client told what it may send, however little that is.</summary>
    public void TellNow()
    {
        lock (_gate) _isAsked = true;
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>
    /// A second passes. Kestrel leaves unflushed what it writes for a stream that is aborted at that moment: nothing may follow
    /// for long, and what a client may send must not wait for it.
    /// </summary>
    public void Beat()
    {
        lock (_gate)
        {
            if (!_isWriting || ++_idleBeats < MostIdleBeats) return;
            _isWriting = false;
        }

        Execute();
    }

    /// <summary>Tells the client now, unless Kestrel is about to.</summary>
    public void Execute()
    {
        TaskCompletionSource own;
        lock (_gate)
        {
            if (_isWriting || _isFlushing || _isComplete || _own is not null || !IsUrgent) return;
            WriteUpdates();
            _own = own = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _ = FlushAsync(own);
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => Begin().GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => Begin().GetSpan(sizeHint);

    public override void Advance(int bytes)
    {
        if (_isMeanwhile) _meanwhile.Advance(bytes);
        else connection.Advance(bytes);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (_own is { } own) return FlushAfterAsync(own.Task, cancellationToken);
            WriteMeanwhile();
            WriteUpdates();
            (_isWriting, _isFlushing) = (false, true);
        }

        var flush = connection.FlushAsync(cancellationToken);
        if (!flush.IsCompletedSuccessfully) return EndFlushAsync(flush);
        var result = flush.Result;
        EndFlush();
        return new(result);
    }

    public override void CancelPendingFlush() => connection.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        lock (_gate)
        {
            _isComplete = true;
            if (_own is not null)
            {
                (_isCompletionDue, _completion) = (true, exception);
                return;
            }
        }

        connection.Complete(exception);
    }

    public override ValueTask CompleteAsync(Exception? exception = null)
    {
        Complete(exception);
        return default;
    }

    /// <summary>Kestrel is done. What it wrote while a flush of ours was under way is sent behind it.</summary>
    /// <param name="closed">Nobody is there any more to send it to.</param>
    public async Task StopAsync(CancellationToken closed)
    {
        Task? own;
        lock (_gate)
        {
            _isComplete = true;
            own = _own?.Task;
        }

        if (own is null) return;
        try
        {
            await own.WaitAsync(closed);
            lock (_gate) WriteMeanwhile();
            await connection.FlushAsync(closed);
        }
        catch (Exception)
        {
            // The connection is at its end.
        }

        if (_isCompletionDue) await connection.CompleteAsync(_completion);
    }

    private IBufferWriter<byte> Begin()
    {
        lock (_gate)
        {
            (_isWriting, _idleBeats) = (true, 0);
            _isMeanwhile = _own is not null || _meanwhile.WrittenCount > 0;
        }

        return _isMeanwhile ? _meanwhile : connection;
    }

    private async ValueTask<FlushResult> FlushAfterAsync(Task own, CancellationToken cancellationToken)
    {
        await own;
        return await FlushAsync(cancellationToken);
    }

    private async ValueTask<FlushResult> EndFlushAsync(ValueTask<FlushResult> flush)
    {
        try
        {
            return await flush;
        }
        finally
        {
            EndFlush();
        }
    }

    private void EndFlush()
    {
        lock (_gate)
        {
            _isFlushing = false;
            if (!IsUrgent) return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private async Task FlushAsync(TaskCompletionSource own)
    {
        try
        {
            await connection.FlushAsync();
        }
        catch (Exception)
        {
            // The connection is at its end, of which Kestrel hears by itself.
        }

        lock (_gate) _own = null;
        own.SetResult();
        Execute();
    }

    private void WriteMeanwhile()
    {
        if (_meanwhile.WrittenCount == 0) return;
        connection.Write(_meanwhile.WrittenSpan);
        _meanwhile.ResetWrittenCount();
    }

    // Under the gate, between frames.
    private void WriteUpdates()
    {
        if (_owed >= windowBytes / 16 || (_isAsked && _owed > 0))
        {
            Write(0, _owed);
            _owed = 0;
        }

        _isAsked = false;

        foreach (var (stream, bytes) in _streams) Write(stream, bytes);
        _streams.Clear();
    }

    private void Write(int stream, int bytes)
    {
        var room = connection.GetSpan(UpdateBytes);
        new FrameHead(sizeof(int), FrameHead.WindowUpdate, 0, stream).Write(room);
        BinaryPrimitives.WriteInt32BigEndian(room[FrameHead.Bytes..], bytes);
        connection.Advance(UpdateBytes);
    }
}
