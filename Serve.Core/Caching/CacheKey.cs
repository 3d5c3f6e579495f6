using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Serve.Core.Protocol;

namespace Serve.Core.Caching;

/// <summary>
/// What makes two requests the same: SHA-256 over the headers that a handler might look at, and over the name, type and bytes
/// of each part.
/// </summary>
/// <remarks>
/// A hash that nobody can make collisions for, so that the inputs need not be kept to compare them: an answer of a picture
/// has a hundredth of the picture's bytes, and memory is what bounds the cache. A gigabyte a second and more is far above
/// what a model takes in.
/// </remarks>
/// <param name="A">Bytes 0 to 7.</param>
/// <param name="B">Bytes 8 to 15.</param>
/// <param name="C">Bytes 16 to 23.</param>
/// <param name="D">Bytes 24 to 31.</param>
internal readonly record struct CacheKey(ulong A, ulong B, ulong C, ulong D)
{
    // Of the way that a request came, not of what it asks.
    private static readonly FrozenSet<string> Ignored = new[]
    {
        "accept-encoding", "cache-control", "content-length", "date", "forwarded", "host", "origin", "pragma", "referer", "traceparent", "tracestate", "baggage", "user-agent", "via",
        "x-request-id", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto", "x-serve-priority", "x-serve-timeout-ms", "x-serve-timings",
        "grpc-accept-encoding", "grpc-timeout", "te",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    // All headers of a request of tensors are its parameters, whatever their names, but for what the server adds of a trace.
    private static readonly FrozenSet<string> OfTraces = new[] { "traceparent", "tracestate" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> OfSequences = new[] { "ts_request_sequence_id", "sequence_id" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    [ThreadStatic]
    private static IncrementalHash? _hash;

    private static ReadOnlySpan<byte> Multipart => "multipart/"u8;

    /// <summary>The key of a request.</summary>
    /// <param name="payload">The request.</param>
    /// <param name="key">Its key.</param>
    /// <returns>False: its answer depends on more than its input, because it is one of a sequence or asks the handler about itself.</returns>
    public static bool TryOf(RequestPayload payload, out CacheKey key)
    {
        key = default;
        if (payload.AsksHandler) return false;
        var hash = _hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var head = payload.Head.Span;
        Span<byte> number = stackalloc byte[4];
        number.Clear();
        number[0] = payload.CarriesTensors ? (byte)1 : (byte)0;
        hash.AppendData(number);
        var isOfSequence = false;
        var ignored = payload.CarriesTensors ? OfTraces : Ignored;
        for (var i = 0; i < payload.Headers; i++)
        {
            var name = TakeShort(ref head);
            var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(head);
            var value = head[..(4 + length)];
            head = head[(4 + length)..];
            if (Is(name, OfSequences)) isOfSequence = true;
            if (Is(name, ignored)) continue;
            Append(hash, name);
            if (!payload.CarriesTensors && IsMultipart(name, value[4..])) Append(hash, MediaType(value[4..]));
            else hash.AppendData(value);
        }

        // No header has a name of this length: what follows are parts.
        BinaryPrimitives.WriteInt32LittleEndian(number, -1);
        hash.AppendData(number);
        for (var i = 0; i < payload.Parts; i++)
        {
            Append(hash, TakeShort(ref head));
            Append(hash, TakeShort(ref head));
            var (offset, length) = ((int)BinaryPrimitives.ReadUInt32LittleEndian(head), (int)BinaryPrimitives.ReadUInt32LittleEndian(head[4..]));
            hash.AppendData(head.Slice(4, 4));
            hash.AppendData(payload.Body.Span.Slice(offset, length));
            head = head[8..];
        }

        Span<byte> sum = stackalloc byte[SHA256.HashSizeInBytes];
        hash.GetHashAndReset(sum);
        key = MemoryMarshal.Read<CacheKey>(sum);
        return !isOfSequence;
    }

    private static bool IsMultipart(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        value.Length > Multipart.Length && Ascii.EqualsIgnoreCase(value[..Multipart.Length], Multipart) && Ascii.EqualsIgnoreCase(name, "content-type"u8);

    // Without the boundary, which clients make anew for each request; the parts have their own types.
    private static ReadOnlySpan<byte> MediaType(ReadOnlySpan<byte> contentType) => contentType.IndexOf((byte)';') is >= 0 and var end ? contentType[..end] : contentType;

    private static ReadOnlySpan<byte> TakeShort(ref ReadOnlySpan<byte> head)
    {
        var length = BinaryPrimitives.ReadUInt16LittleEndian(head);
        var taken = head.Slice(2, length);
        head = head[(2 + length)..];
        return taken;
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> text)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
        hash.AppendData(length);
        hash.AppendData(text);
    }

    private static bool Is(ReadOnlySpan<byte> name, FrozenSet<string> names)
    {
        if (name.Length > 32) return false;
        Span<char> text = stackalloc char[32];
        return names.GetAlternateLookup<ReadOnlySpan<char>>().Contains(text[..Encoding.UTF8.GetChars(name, text)]);
    }
}
