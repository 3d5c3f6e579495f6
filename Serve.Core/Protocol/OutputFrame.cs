using System.Buffers.Binary;
using System.Text;

namespace Serve.Core.Protocol;

/// <summary>A worker's answer to a request, or a part of one.</summary>
public readonly ref struct OutputFrame
{
    /// <summary>The content type of an error that a server, not a handler, made.</summary>
    public const string ErrorContentType = "application/vnd.serve.error+json";

    private const int FixedBytes = 28;

    private readonly ReadOnlySpan<byte> _headers;
    private readonly int _headerCount;

    private OutputFrame(ReadOnlySpan<byte> body)
    {
        var fields = new SpanFields(body);
        Status = fields.UInt16();
        _headerCount = fields.UInt16();
        Times = new OutputTimes(fields.UInt32(), fields.UInt32(), fields.UInt32(), fields.UInt32(), fields.UInt32(), fields.UInt32());
        if (Status is < 100 or > 999) throw new ProtocolException($"An Output with status {Status}.");
        ContentType = fields.Bytes(fields.UInt16());
        _headers = fields.Rest;
        for (var i = 0; i < _headerCount; i++)
        {
            fields.Bytes(fields.UInt16());
            fields.Bytes(fields.UInt32());
        }

        Body = fields.Rest;
        _headers = _headers[..(_headers.Length - Body.Length)];
    }

    /// <summary>HTTP status; 499 for a request that was cancelled.</summary>
    public int Status { get; }

    /// <summary>Where the time went.</summary>
    public OutputTimes Times { get; }

    /// <summary>Media type in ASCII; empty for none.</summary>
    public ReadOnlySpan<byte> ContentType { get; }

    /// <summary>The body, or this part of it.</summary>
    public ReadOnlySpan<byte> Body { get; }

    /// <summary>Whether it is an error that the server, not a handler, made: the body is an <see cref="ErrorMessage"/>.</summary>
    public bool IsError => Status >= 400 && ContentType.SequenceEqual("application/vnd.serve.error+json"u8);

    /// <summary>Parses and checks an Output's body.</summary>
    /// <param name="body">The frame's body.</param>
    /// <exception cref="ProtocolException">A field reaches beyond the body.</exception>
    public static OutputFrame Parse(ReadOnlySpan<byte> body) => new(body);

    /// <summary>Reads the headers.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ReadHeaders()
    {
        if (_headerCount == 0) return [];
        var headers = new KeyValuePair<string, string>[_headerCount];
        var fields = new SpanFields(_headers);
        for (var i = 0; i < headers.Length; i++) headers[i] = new(fields.ShortText(), fields.LongText());
        return headers;
    }

    /// <summary>Writes what comes before the body.</summary>
    /// <param name="target">At least <see cref="HeadBytes"/> bytes.</param>
    /// <param name="status">HTTP status.</param>
    /// <param name="times">Where the time went.</param>
    /// <param name="contentType">Media type, or null.</param>
    /// <param name="headers">Further headers.</param>
    /// <returns>Bytes written.</returns>
    public static int WriteHead(Span<byte> target, int status, in OutputTimes times, string? contentType, IList<KeyValuePair<string, string>> headers)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(target, (ushort)status);
        BinaryPrimitives.WriteUInt16LittleEndian(target[2..], checked((ushort)headers.Count));
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], times.BatchRows);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], times.DecodeWait);
        BinaryPrimitives.WriteUInt32LittleEndian(target[12..], times.Decode);
        BinaryPrimitives.WriteUInt32LittleEndian(target[16..], times.Assemble);
        BinaryPrimitives.WriteUInt32LittleEndian(target[20..], times.Execute);
        BinaryPrimitives.WriteUInt32LittleEndian(target[24..], times.Encode);
        var length = Encoding.ASCII.GetBytes(contentType ?? "", target[(FixedBytes + 2)..]);
        BinaryPrimitives.WriteUInt16LittleEndian(target[FixedBytes..], checked((ushort)length));
        var at = FixedBytes + 2 + length;
        for (var i = 0; i < headers.Count; i++)
        {
            var name = Encoding.UTF8.GetBytes(headers[i].Key, target[(at + 2)..]);
            BinaryPrimitives.WriteUInt16LittleEndian(target[at..], checked((ushort)name));
            at += 2 + name;
            var value = Encoding.UTF8.GetBytes(headers[i].Value, target[(at + 4)..]);
            BinaryPrimitives.WriteUInt32LittleEndian(target[at..], (uint)value);
            at += 4 + value;
        }

        return at;
    }

    /// <summary>The most bytes that <see cref="WriteHead"/> needs.</summary>
    /// <param name="contentType">Media type, or null.</param>
    /// <param name="headers">Further headers.</param>
    public static int HeadBytes(string? contentType, IList<KeyValuePair<string, string>> headers)
    {
        var count = FixedBytes + 2 + (contentType?.Length ?? 0);
        for (var i = 0; i < headers.Count; i++) count += 6 + Encoding.UTF8.GetMaxByteCount(headers[i].Key.Length) + Encoding.UTF8.GetMaxByteCount(headers[i].Value.Length);
        return count;
    }
}

/// <summary>Stage times of one request, microseconds.</summary>
/// <param name="BatchRows">Rows of the batch that it ran in; 0 if it did not run.</param>
/// <param name="DecodeWait">From arrival until decoding began.</param>
/// <param name="Decode">Decoding and preprocessing.</param>
/// <param name="Assemble">From ready until its batch began.</param>
/// <param name="Execute">The batch's execution.</param>
/// <param name="Encode">Postprocessing.</param>
public readonly record struct OutputTimes(uint BatchRows, uint DecodeWait, uint Decode, uint Assemble, uint Execute, uint Encode);
