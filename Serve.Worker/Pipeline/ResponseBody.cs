using System.Buffers;

namespace Serve.Worker.Pipeline;

/// <summary>A response's body in a pooled array that the sender takes over without a copy.</summary>
internal sealed class ResponseBody : IBufferWriter<byte>
{
    private const int InitialBytes = 512;

    private byte[] _bytes = [];

    public int Length { get; private set; }

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _bytes.Length - Length);
        Length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Grow(Math.Max(1, sizeHint));
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Grow(Math.Max(1, sizeHint));
        return _bytes.AsSpan(Length);
    }

    /// <summary>Forgets what was written.</summary>
    public void Clear() => Length = 0;

    /// <summary>Hands the array over; it is of <see cref="ArrayPool{T}.Shared"/>.</summary>
    public byte[] Detach(out int length)
    {
        Grow(1); // even an empty body is an array that the taker may return
        var bytes = _bytes;
        length = Length;
        _bytes = [];
        Length = 0;
        return bytes;
    }

    private void Grow(int more)
    {
        if (_bytes.Length - Length >= more) return;
        var wanted = Math.Max((long)Length + more, Math.Max(2L * _bytes.Length, InitialBytes));
        var larger = ArrayPool<byte>.Shared.Rent(checked((int)Math.Min(wanted, Math.Max((long)Length + more, Array.MaxLength))));
        _bytes.AsSpan(0, Length).CopyTo(larger);
        if (_bytes.Length > 0) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
