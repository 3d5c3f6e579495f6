using System.Buffers;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Serve.Core.Protocol;

/// <summary>
/// Frames in the order in which they go out: copied bytes, with references to payloads between them. Filled by many threads
/// under their lock, then sent by one. Hot path: allocates nothing once its lists have grown.
/// </summary>
internal sealed class OutgoingFrames
{
    // At most 1,024 pieces a call (IOV_MAX).
    private const int MostPieces = 64;

    private readonly List<Reference> _references = [];
    private readonly List<ArraySegment<byte>> _pieces = [];
    private byte[] _copied = new byte[16 << 10];
    private int _length;
    private int _next;

    /// <summary>Whether there is nothing in it.</summary>
    public bool IsEmpty => _length == 0;

    /// <summary>Bytes added, references included.</summary>
    public long Bytes { get; private set; }

    /// <summary>Room for bytes that are copied.</summary>
    public Span<byte> Reserve(int count)
    {
        if (_copied.Length - _length < count) Array.Resize(ref _copied, (int)Math.Min(Math.Max(2L * _copied.Length, (long)_length + count), Array.MaxLength));
        var span = _copied.AsSpan(_length, count);
        _length += count;
        Bytes += count;
        return span;
    }

    /// <summary>Bytes that follow what was added so far and stay where they are until <see cref="Clear"/>.</summary>
    /// <param name="memory">Of an array.</param>
    /// <param name="payload">Released by <see cref="Clear"/>, if not null.</param>
    /// <param name="pooled">Returned by <see cref="Clear"/>, if not null.</param>
    public void Refer(ReadOnlyMemory<byte> memory, RequestPayload? payload, byte[]? pooled)
    {
        MemoryMarshal.TryGetArray(memory, out var segment);
        _references.Add(new Reference(_length, segment, payload, pooled));
        Bytes += segment.Count;
    }

    /// <summary>Sends what the socket takes at once.</summary>
    /// <returns>Whether that was the rest.</returns>
    public bool TrySend(Socket socket)
    {
        Arrange();
        while (_next < _pieces.Count)
        {
            var pieces = CollectionsMarshal.AsSpan(_pieces)[_next..];
            var sent = NonBlockingSend.Send(socket, pieces[..Math.Min(MostPieces, pieces.Length)]);
            if (sent < 0) return false;
            Skip(sent);
        }

        return true;
    }

    /// <summary>Sends the rest, waiting for the peer.</summary>
    public void SendAll(Socket socket)
    {
        Arrange();
        while (_next < _pieces.Count)
        {
            if (_next == _pieces.Count - 1)
            {
                var (last, at) = (_pieces[_next], 0);
                while (at < last.Count) at += socket.Send(last[at..], SocketFlags.None);
                _next++;
                return;
            }

            Skip(socket.Send(_pieces.GetRange(_next, Math.Min(MostPieces, _pieces.Count - _next)), SocketFlags.None));
        }
    }

    /// <summary>Gives everything back and is empty.</summary>
    public void Clear()
    {
        foreach (var reference in _references)
        {
            reference.Payload?.Release();
            if (reference.Pooled is { } pooled) ArrayPool<byte>.Shared.Return(pooled);
        }

        _references.Clear();
        _pieces.Clear();
        _length = _next = 0;
        Bytes = 0;

        // Copied bytes are bounded by the credit, but one burst must not keep its memory for ever.
        if (_copied.Length > 1 << 20) _copied = new byte[16 << 10];
    }

    // Once, when the first is sent: until then bytes may be added and the array may move.
    private void Arrange()
    {
        if (_pieces.Count > 0) return;
        var at = 0;
        foreach (var reference in _references)
        {
            if (reference.At > at) _pieces.Add(new ArraySegment<byte>(_copied, at, reference.At - at));
            at = reference.At;
            _pieces.Add(reference.Segment);
        }

        if (_length > at) _pieces.Add(new ArraySegment<byte>(_copied, at, _length - at));
    }

    private void Skip(int sent)
    {
        while (sent > 0)
        {
            var piece = _pieces[_next];
            if (sent < piece.Count)
            {
                _pieces[_next] = piece[sent..];
                return;
            }

            sent -= piece.Count;
            _next++;
        }
    }

    private readonly record struct Reference(int At, ArraySegment<byte> Segment, RequestPayload? Payload, byte[]? Pooled);
}
