using System.Buffers;
using Microsoft.Extensions.ObjectPool;
using Serve.Core.Errors;
using Serve.Core.Protocol;

namespace Serve.Core.Models;

/// <summary>
/// A worker's answer to one request. Dispose it once, when it is written, and do not look at it afterwards: it and its
/// body then serve other answers.
/// </summary>
public sealed class InferenceResponse : IDisposable
{
    private static readonly ObjectPool<InferenceResponse> Idle = new DefaultObjectPool<InferenceResponse>(new Idling(), maximumRetained: 1024);

    private byte[]? _buffer;
    private int _offset;
    private int _length;

    private int _isRented;
    private bool _isBorrowed;

    private InferenceResponse()
    {
    }

    /// <summary>HTTP status that the handler chose; 200 unless it said otherwise.</summary>
    public int Status { get; private set; }

    /// <summary>Media type, or null if the handler named none.</summary>
    public string? ContentType { get; private set; }

    /// <summary>Headers that the handler set.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; private set; } = [];

    /// <summary>Where the time went, by the worker's clock.</summary>
    public OutputTimes Times { get; internal set; }

    /// <summary>Where the time of the whole request went, for a client that asked; null: it did not, or it is not known.</summary>
    public RequestTimes? RequestTimes { get; internal set; }

    /// <summary>What follows, if this is the first part of an answer in parts; null for an answer that is whole.</summary>
    public AnswerParts? Parts { get; internal set; }

    /// <summary>The body.</summary>
    public ReadOnlyMemory<byte> Body => _buffer.AsMemory(_offset, _length);

    /// <summary>Returns it and its body's buffer to their pools. If more parts are to come, nobody wants them any more.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isRented, 0) == 0) return;
        if (_buffer is { Length: > 0 } buffer && !_isBorrowed) ArrayPool<byte>.Shared.Return(buffer);
        _buffer = null;
        _isBorrowed = false;
        _offset = _length = 0;
        ContentType = null;
        Headers = [];
        Parts?.Dispose();
        Parts = null;
        RequestTimes = null;
        Idle.Return(this);
    }

    /// <summary>Waits for what follows, and puts all of it into this body: for protocols that answer whole.</summary>
    /// <param name="mostBytes">The most that an answer in parts may have then.</param>
    /// <exception cref="ServeException">The answer breaks off, or is larger.</exception>
    public async ValueTask JoinPartsAsync(long mostBytes)
    {
        if (Parts is not { } parts) return;
        while (await parts.NextAsync().ConfigureAwait(false) is { } part)
        {
            using (part)
            {
                if (_length + (long)part.Body.Length > mostBytes) throw new OutOfResourcesException($"The answer in parts has more than {mostBytes} bytes (maxRequestSize), too many to give it whole.");
                Append(part.Body.Span);
            }
        }

        Parts = null;
    }

    internal static InferenceResponse Rent(int status, string? contentType, IReadOnlyList<KeyValuePair<string, string>> headers, in OutputTimes times)
    {
        var response = Idle.Get();
        response._isRented = 1;
        (response.Status, response.ContentType, response.Headers, response.Times) = (status, contentType, headers, times);
        return response;
    }

    /// <summary>Takes over a pooled array that holds the body.</summary>
    internal void Adopt(byte[] pooled, int offset, int length) => (_buffer, _offset, _length) = (pooled, offset, length);

    /// <summary>Shows a body that others show too, and that is never written into.</summary>
    internal void Borrow(byte[] body) => (_buffer, _offset, _length, _isBorrowed) = (body, 0, body.Length, true);

    /// <summary>Adds bytes at the end of the body: an answer may come in several frames.</summary>
    internal void Append(ReadOnlySpan<byte> bytes)
    {
        var needed = checked(_length + bytes.Length);
        if (_buffer is null || _isBorrowed || _buffer.Length - _offset < needed)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, 2 * _length));
            Body.Span.CopyTo(larger);
            if (_buffer is { Length: > 0 } old && !_isBorrowed) ArrayPool<byte>.Shared.Return(old);
            (_buffer, _offset, _isBorrowed) = (larger, 0, false);
        }

        bytes.CopyTo(_buffer.AsSpan(_offset + _length));
        _length = needed;
    }

    private sealed class Idling : IPooledObjectPolicy<InferenceResponse>
    {
        public InferenceResponse Create() => new();

        public bool Return(InferenceResponse response) => true;
    }
}
