using System.Buffers;
using System.Net.Sockets;

namespace Serve.Core.Protocol;

/// <summary>
/// Reads frames from a socket, for one reader: <see cref="Receive"/> takes what has arrived, or the reader receives into
/// <see cref="Space"/> by itself and calls <see cref="Received"/>; <see cref="TryRead"/> yields the frames that are complete.
/// Small frames are parsed in place; the body of a large frame is received straight into a pooled array that
/// <see cref="TakeBody"/> hands over without a copy. What a peer announces is believed up to a limit; beyond, memory grows with
/// what has really arrived. Hot path: allocates nothing.
/// </summary>
public sealed class FrameReader : IDisposable
{
    private const int BufferBytes = 64 << 10;

    // A body above this is received into an array of its own; up to it, copying is cheaper than a second system call.
    private const int LargeBodyBytes = 16 << 10;

    // After a large frame, which is seldom the last, only this much is received: what of a large body comes along with its
    // header has to be copied.
    private const int HeadBytes = 1 << 10;

    // An announced length is believed up to here; then the array grows to this many times what has arrived.
    private const int MostRentedAhead = 1 << 20;
    private const int Growth = 4;

    private static readonly Action Yield = static () => Thread.Yield();

    private readonly Socket _socket;
    private readonly int _maxBodyBytes;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;

    // The large frame under way or, when _largeFilled is its length, the one that is being read.
    private byte[]? _large;
    private int _largeFilled;
    private FrameHeader _header;
    private int _bodyStart;
    private bool _hasFrame;
    private bool _expectsLarge;
    private PoliteWait _wait = new(TimeProvider.System);

    /// <summary>Reads from a connected socket, which stays the caller's.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="maxBodyBytes">A frame that announces more closes the connection.</param>
    public FrameReader(Socket socket, int maxBodyBytes = FrameHeader.MaxLength)
    {
        _socket = socket;
        _maxBodyBytes = maxBodyBytes;
    }

    /// <summary>The header of the frame that <see cref="TryRead"/> yielded.</summary>
    public FrameHeader Header => _header;

    /// <summary>The body of the frame that <see cref="TryRead"/> yielded; valid until the next call of any method.</summary>
    public ReadOnlySpan<byte> Body => _large is not null ? _large.AsSpan(0, _header.Length) : _buffer.AsSpan(_bodyStart, _header.Length);

    /// <summary>Whether the peer answers within microseconds, so that it is worth letting others run before waiting for it.</summary>
    public bool IsPeerQuick { get; set; }

    /// <summary>Waits for bytes on this thread. Call it when <see cref="TryRead"/> has no more frames.</summary>
    /// <returns>False at the end of the connection.</returns>
    /// <exception cref="SocketException">The connection broke; what had arrived before has been yielded.</exception>
    public bool Receive()
    {
        var space = Space();
        if (IsPeerQuick) _wait.BeforeWaiting(Yield);
        return Received(_socket.Receive(space.Span, SocketFlags.None));
    }

    /// <summary>Where the next bytes belong. Ask for it when <see cref="TryRead"/> has no more frames.</summary>
    /// <returns>At least one byte; valid until the next call of any method.</returns>
    public Memory<byte> Space()
    {
        if (IsLargeUnderWay)
        {
            if (_largeFilled == _large!.Length) GrowLarge();
            return _large.AsMemory(_largeFilled, Math.Min(_large.Length, _header.Length) - _largeFilled);
        }

        ReleaseFrame();
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_start > 0)
        {
            // Less than one small frame is left over.
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        return _expectsLarge ? _buffer.AsMemory(_end, HeadBytes) : _buffer.AsMemory(_end);
    }

    /// <summary>Says how many bytes were received into <see cref="Space"/>.</summary>
    /// <returns>False at the end of the connection: there were none.</returns>
    public bool Received(int count)
    {
        if (IsLargeUnderWay) _largeFilled += count;
        else _end += count;
        return count > 0;
    }

    /// <summary>Yields the next complete frame.</summary>
    /// <returns>False when more bytes must be received first.</returns>
    /// <exception cref="ProtocolException">The header is malformed.</exception>
    public bool TryRead()
    {
        if (IsLargeUnderWay) return false;
        if (_large is not null && !_hasFrame)
        {
            _hasFrame = true;
            return true;
        }

        ReleaseFrame();
        var available = _end - _start;
        if (available < FrameHeader.Size) return false;
        var header = FrameHeader.Read(_buffer.AsSpan(_start));
        _expectsLarge = header.Length > LargeBodyBytes;
        if (header.Length > _maxBodyBytes) throw new ProtocolException($"A frame of {header.Length} bytes is announced; this side accepts {_maxBodyBytes}.");
        if (available >= FrameHeader.Size + header.Length)
        {
            _header = header;
            _bodyStart = _start + FrameHeader.Size;
            _start = _bodyStart + header.Length;
            _hasFrame = true;
            return true;
        }

        if (header.Length <= LargeBodyBytes) return false;
        _header = header;
        _large = ArrayPool<byte>.Shared.Rent(Math.Min(header.Length, MostRentedAhead));
        _largeFilled = available - FrameHeader.Size;
        _buffer.AsSpan(_start + FrameHeader.Size, _largeFilled).CopyTo(_large);
        _start = _end = 0;
        return false;
    }

    /// <summary>Hands over the current frame's body as a pooled array, which the caller returns to <see cref="ArrayPool{T}.Shared"/>.</summary>
    /// <returns>An array of at least the body's length, body first.</returns>
    public byte[] TakeBody()
    {
        if (!_hasFrame) throw new InvalidOperationException("There is no current frame.");
        if (_large is { } large)
        {
            _large = null;
            _hasFrame = false;
            return large;
        }

        var copy = ArrayPool<byte>.Shared.Rent(Math.Max(1, _header.Length));
        Body.CopyTo(copy);
        return copy;
    }

    /// <summary>Returns what is pooled.</summary>
    public void Dispose()
    {
        if (_large is null) return;
        ArrayPool<byte>.Shared.Return(_large);
        _large = null;
    }

    private bool IsLargeUnderWay => _large is not null && _largeFilled < _header.Length;

    private void GrowLarge()
    {
        var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(_header.Length, (long)Growth * _largeFilled));
        _large.AsSpan(0, _largeFilled).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_large!);
        _large = larger;
    }

    private void ReleaseFrame()
    {
        _hasFrame = false;
        if (_large is null) return;
        ArrayPool<byte>.Shared.Return(_large);
        _large = null;
        _largeFilled = 0;
    }
}
