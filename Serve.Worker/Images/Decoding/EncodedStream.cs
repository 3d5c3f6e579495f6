namespace Serve.Worker.Images.Decoding;

/// <summary>
/// Encoded bytes as a stream for decoders that want one. Reading past the token's end throws: decoders that take no token
/// of their own are stopped at their next read. One for each thread, reused.
/// </summary>
internal sealed unsafe class EncodedStream : Stream
{
    private byte* _start;
    private int _length;
    private int _position;
    private CancellationToken _token;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => _length;

    public override long Position
    {
        get => _position;
        set => _position = (int)Math.Clamp(value, 0, _length);
    }

    /// <summary>Points at pinned bytes; the caller keeps them pinned until <see cref="Clear"/>.</summary>
    public void Set(byte* start, int length, CancellationToken token)
    {
        _start = start;
        _length = length;
        _position = 0;
        _token = token;
    }

    public void Clear() => Set(null, 0, default);

    public override int Read(Span<byte> buffer)
    {
        _token.ThrowIfCancellationRequested();
        var count = Math.Min(buffer.Length, _length - _position);
        new ReadOnlySpan<byte>(_start + _position, count).CopyTo(buffer);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int ReadByte()
    {
        _token.ThrowIfCancellationRequested();
        return _position < _length ? _start[_position++] : -1;
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Begin => 0,
        SeekOrigin.Current => _position,
        _ => _length,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException("Encoded pictures are only read.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Encoded pictures are only read.");
}
