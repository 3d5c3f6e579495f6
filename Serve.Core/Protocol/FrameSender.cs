using System.Buffers;
using System.Net.Sockets;

namespace Serve.Core.Protocol;

/// <summary>
/// Sends frames over one socket, for many threads. Small frames gather in a double buffer; payloads above
/// <see cref="CopyLimitBytes"/> stay where they are and are sent from there. A thread that flushes sends at most what the
/// socket takes without waiting; the rest is left to the sender's own thread, so that a stopped peer stalls nobody.
/// Hot path: allocates nothing once its buffers have grown.
/// </summary>
public sealed class FrameSender : IDisposable
{
    /// <summary>Payloads up to this size are copied beside their header; larger ones are sent from their own memory.</summary>
    public const int CopyLimitBytes = 8 << 10;

    // A thread that flushes sends no more than this by itself: copying it into the socket takes tens of microseconds.
    private const long OnThisThreadBytes = 256 << 10;

    private readonly Socket _socket;
    private readonly object _gate = new();
    private readonly object _handOver = new();
    private readonly Thread _thread;
    private OutgoingFrames _filling = new();
    private OutgoingFrames _draining = new();
    private Exception? _failure;
    private int _waiters;

    // How often the filled buffer became the one that is sent, and how often that was sent to its end.
    private long _swaps;
    private long _drains;
    private bool _isSending;
    private bool _isFlushing;
    private bool _isHandedOver;
    private volatile bool _isDisposed;

    /// <summary>Starts the sender's thread.</summary>
    /// <param name="socket">A connected, blocking socket; it stays the caller's.</param>
    /// <param name="name">The thread's name.</param>
    public FrameSender(Socket socket, string name)
    {
        _socket = socket;
        _thread = new Thread(SendLoop) { IsBackground = true, Name = name };
        _thread.Start();
    }

    /// <summary>Adds a frame whose body is the spans, copied. Send it with <see cref="Flush"/>.</summary>
    /// <param name="type">What it is.</param>
    /// <param name="flags">By type.</param>
    /// <param name="id">By type.</param>
    /// <param name="head">The first part of the body.</param>
    /// <param name="rest">What follows.</param>
    /// <param name="end">And after that.</param>
    public void Enqueue(FrameType type, byte flags, ulong id, ReadOnlySpan<byte> head, ReadOnlySpan<byte> rest = default, ReadOnlySpan<byte> end = default)
    {
        var length = checked(head.Length + rest.Length + end.Length);
        lock (_gate)
        {
            if (_failure is not null || _isDisposed) return;
            var span = _filling.Reserve(FrameHeader.Size + length);
            new FrameHeader(length, type, flags, id).Write(span);
            span = span[FrameHeader.Size..];
            head.CopyTo(span);
            rest.CopyTo(span[head.Length..]);
            end.CopyTo(span[(head.Length + rest.Length)..]);
        }
    }

    /// <summary>Adds a frame whose body ends in a request's header list and payload; large payloads are referenced, not copied.</summary>
    /// <param name="type">What it is.</param>
    /// <param name="flags">By type.</param>
    /// <param name="id">By type.</param>
    /// <param name="head">The first part of the body, copied.</param>
    /// <param name="payload">Its head and body follow; a reference is held until they are sent.</param>
    public void Enqueue(FrameType type, byte flags, ulong id, ReadOnlySpan<byte> head, RequestPayload payload)
    {
        var body = payload.Body;
        var isLarge = body.Length > CopyLimitBytes;
        var small = head.Length + payload.Head.Length + (isLarge ? 0 : body.Length);
        lock (_gate)
        {
            if (_failure is not null || _isDisposed) return;
            var span = _filling.Reserve(FrameHeader.Size + small);
            new FrameHeader(checked(head.Length + payload.Head.Length + body.Length), type, flags, id).Write(span);
            head.CopyTo(span[FrameHeader.Size..]);
            payload.Head.Span.CopyTo(span[(FrameHeader.Size + head.Length)..]);
            if (!isLarge)
            {
                body.Span.CopyTo(span[(FrameHeader.Size + head.Length + payload.Head.Length)..]);
                return;
            }

            if (payload.Shared is not null)
            {
                // This worker does not read it where it lies, though others of its version do.
                var copy = ArrayPool<byte>.Shared.Rent(body.Length);
                body.CopyTo(copy);
                _filling.Refer(copy.AsMemory(0, body.Length), null, copy);
                return;
            }

            payload.AddReference();
            _filling.Refer(body, payload, null);
        }
    }

    /// <summary>Adds a frame whose body ends in a pooled array, which is returned to <see cref="ArrayPool{T}.Shared"/> when it is sent.</summary>
    /// <param name="type">What it is.</param>
    /// <param name="flags">By type.</param>
    /// <param name="id">By type.</param>
    /// <param name="head">The first part of the body, copied.</param>
    /// <param name="pooled">The array; it is the sender's from here on.</param>
    /// <param name="length">Bytes of it that belong to the body.</param>
    public void EnqueuePooled(FrameType type, byte flags, ulong id, ReadOnlySpan<byte> head, byte[] pooled, int length)
    {
        var isReferenced = false;
        lock (_gate)
        {
            if (_failure is null && !_isDisposed)
            {
                isReferenced = length > CopyLimitBytes;
                var span = _filling.Reserve(FrameHeader.Size + head.Length + (isReferenced ? 0 : length));
                new FrameHeader(checked(head.Length + length), type, flags, id).Write(span);
                head.CopyTo(span[FrameHeader.Size..]);
                if (isReferenced) _filling.Refer(pooled.AsMemory(0, length), null, pooled);
                else pooled.AsSpan(0, length).CopyTo(span[(FrameHeader.Size + head.Length)..]);
            }
        }

        if (!isReferenced) ArrayPool<byte>.Shared.Return(pooled);
    }

    /// <summary>
    /// Has everything sent that was added so far. With <paramref name="onThisThread"/> this thread sends what the socket
    /// takes at once; what it does not take, and all of it otherwise, is the sender thread's. Never waits for the peer.
    /// </summary>
    /// <param name="onThisThread">Whether this thread may do a system call.</param>
    public void Flush(bool onThisThread)
    {
        lock (_gate)
        {
            if (_isSending || _isDisposed || _filling.IsEmpty || _failure is not null) return;
            _isSending = true;
            if (!onThisThread || !NonBlockingSend.IsSupported || _filling.Bytes > OnThisThreadBytes)
            {
                HandOver();
                return;
            }

            _isFlushing = true;
            Swap();
        }

        if (!TryDrainWithoutWaiting()) HandOverRest();
    }

    /// <summary>Sends everything that was added so far and returns when the socket has it; waits for the peer if it must.</summary>
    public void FlushAndWait()
    {
        // Not for what others add from now on, which nobody may be about to send: a thread that waits here may be a device.
        long target;
        lock (_gate) target = _filling.IsEmpty ? _swaps : _swaps + 1;
        Flush(onThisThread: true);
        lock (_gate)
        {
            while (_drains < target && _failure is null && !_isDisposed)
            {
                _waiters++;
                Monitor.Wait(_gate);
                _waiters--;
            }
        }
    }

    /// <summary>Ends the thread; what has not been sent is dropped. Shut the socket down before, or this waits for a stopped peer.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isDisposed) return;
            _isDisposed = true;
            _filling.Clear();
            Monitor.PulseAll(_gate);
        }

        HandOver();
        _thread.Join();

        // A thread that sends by itself at this moment clears it when it is back.
        lock (_gate)
        {
            if (!_isFlushing) _draining.Clear();
        }
    }

    // The caller owns _draining (it set _isSending). True when everything is sent and ownership given up.
    private bool TryDrainWithoutWaiting()
    {
        while (true)
        {
            try
            {
                if (!_draining.TrySend(_socket)) return false;
            }
            catch (SocketException e)
            {
                Fail(e);
                return true;
            }

            _draining.Clear();
            lock (_gate)
            {
                CountDrain();
                if (_filling.IsEmpty || _isDisposed)
                {
                    EndSending();
                    return true;
                }

                if (_filling.Bytes > OnThisThreadBytes) return false;
                Swap();
            }
        }
    }

    private void SendLoop()
    {
        while (true)
        {
            AwaitHandOver();
            try
            {
                while (true)
                {
                    if (_isDisposed) return;
                    if (_draining.IsEmpty)
                    {
                        lock (_gate)
                        {
                            if (_filling.IsEmpty)
                            {
                                EndSending();
                                break;
                            }

                            Swap();
                        }
                    }

                    _draining.SendAll(_socket);
                    _draining.Clear();
                    lock (_gate) CountDrain();
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The reader sees the end of the connection and says so; here it only matters that nobody waits.
                Fail(e);
            }

            if (_isDisposed) return;
        }
    }

    // What is to be sent is the sender thread's from here on.
    private void HandOver()
    {
        lock (_handOver)
        {
            _isHandedOver = true;
            Monitor.Pulse(_handOver);
        }
    }

    // By the thread that flushes: the sender's thread may have ended meanwhile.
    private void HandOverRest()
    {
        lock (_gate)
        {
            _isFlushing = false;
            if (_isDisposed)
            {
                _draining.Clear();
                return;
            }
        }

        HandOver();
    }

    // A monitor, because a SemaphoreSlim spins before it sleeps: on a small machine that takes a core from those who work.
    private void AwaitHandOver()
    {
        lock (_handOver)
        {
            while (!_isHandedOver) Monitor.Wait(_handOver);
            _isHandedOver = false;
        }
    }

    // Under the gate.
    private void Swap()
    {
        (_filling, _draining) = (_draining, _filling);
        _swaps++;
    }

    // Under the gate.
    private void CountDrain()
    {
        _drains++;
        if (_waiters > 0) Monitor.PulseAll(_gate);
    }

    // Under the gate.
    private void EndSending()
    {
        _isSending = _isFlushing = false;
        if (_waiters > 0) Monitor.PulseAll(_gate);
    }

    private void Fail(Exception failure)
    {
        lock (_gate)
        {
            _failure = failure;
            _filling.Clear();
            _draining.Clear();
            EndSending();
        }

        // Not every failure is the connection's end: the kernel may have no memory for a frame, of which the peer has half by now.
        // From here on nothing is sent, so the reader, after what has arrived, must see an end.
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was at its end.
        }
    }
}
