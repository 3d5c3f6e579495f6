using System.Buffers;
using Serve.Core.Protocol;

namespace Serve.Core.Models;

/// <summary>A worker's answer to one request. Dispose it when it is written: its body is pooled.</summary>
public sealed class InferenceResponse : IDisposable
{
    private byte[]? _buffer;
    private int _offset;
    private int _length;

    internal InferenceResponse(int status, string? contentType, IReadOnlyList<KeyValuePair<string, string>> headers, OutputTimes times)
    {
        Status = status;
        ContentType = contentType;
        Headers = headers;
        Times = times;
    }

    /// <summary>HTTP status that the handler chose; 200 unless it said otherwise.</summary>
    public int Status { get; }

    /// <summary>Media type, or null if the handler named none.</summary>
    public string? ContentType { get; }

    /// <summary>Headers that the handler set.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; }

    /// <summary>Where the time went, by the worker's clock.</summary>
    public OutputTimes Times { get; internal set; }

    /// <summary>The body.</summary>
    public ReadOnlyMemory<byte> Body => _buffer.AsMemory(_offset, _length);

    /// <summary>Returns the body's buffer to the pool.</summary>
    public void Dispose()
    {
        var buffer = Interlocked.Exchange(ref _buffer, null);
        _offset = _length = 0;
        if (buffer is { Length: > 0 }) ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Takes over a pooled array that holds the body.</summary>
    internal void Adopt(byte[] pooled, int offset, int length) => (_buffer, _offset, _length) = (pooled, offset, length);

    /// <summary>Adds bytes at the end of the body: an answer may come in several frames.</summary>
    internal void Append(ReadOnlySpan<byte> bytes)
    {
        var needed = checked(_length + bytes.Length);
        if (_buffer is null || _buffer.Length - _offset < needed)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, 2 * _length));
            Body.Span.CopyTo(larger);
            if (_buffer is { Length: > 0 } old) ArrayPool<byte>.Shared.Return(old);
            (_buffer, _offset) = (larger, 0);
        }

        bytes.CopyTo(_buffer.AsSpan(_offset + _length));
        _length = needed;
    }
}
