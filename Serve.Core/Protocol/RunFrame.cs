using System.Buffers.Binary;

namespace Serve.Core.Protocol;

/// <summary>A request on its way to a worker.</summary>
public readonly ref struct RunFrame
{
    private const int FixedBytes = 24;

    [ThreadStatic]
    private static TextCache? _texts;

    private readonly ReadOnlySpan<byte> _headers;
    private readonly ReadOnlySpan<byte> _parts;

    private RunFrame(ReadOnlySpan<byte> body, bool isShared)
    {
        var fields = new SpanFields(body);
        DeadlineMicroseconds = fields.Int64();
        var rows = fields.UInt32();
        Lane = fields.Byte();
        fields.Byte();
        HeaderCount = fields.UInt16();
        PartCount = fields.UInt16();
        fields.UInt16();
        var head = fields.Bytes(fields.UInt32());
        if (rows is 0 or > int.MaxValue) throw new ProtocolException($"A Run of {rows} rows; at least one is needed.");
        Rows = (int)rows;
        PayloadOffset = body.Length - fields.Rest.Length;
        PayloadLength = fields.Rest.Length;
        if (isShared)
        {
            var (offset, length) = (fields.Int64(), fields.Int64());
            if (offset is < 0 or > int.MaxValue || length is < 0 or > int.MaxValue) throw new ProtocolException($"A Run whose payload lies at {offset} and has {length} bytes.");
            (PayloadOffset, PayloadLength) = ((int)offset, (int)length);
        }

        // Walk both lists once, so that reading them later cannot fail.
        var list = new SpanFields(head);
        for (var i = 0; i < HeaderCount; i++)
        {
            list.Bytes(list.UInt16());
            list.Bytes(list.UInt32());
        }

        _parts = list.Rest;
        _headers = head[..(head.Length - _parts.Length)];
        for (var i = 0; i < PartCount; i++)
        {
            list.Bytes(list.UInt16());
            list.Bytes(list.UInt16());
            var end = (long)list.UInt32() + list.UInt32();
            if (end > PayloadLength) throw new ProtocolException($"A part ends at {end}, beyond the payload's {PayloadLength} bytes.");
        }
    }

    /// <summary>Microseconds left until the answer is of no use; −1 for none.</summary>
    public long DeadlineMicroseconds { get; }

    /// <summary>Rows of a batch that the request fills.</summary>
    public int Rows { get; }

    /// <summary>Priority lane, 0 first.</summary>
    public byte Lane { get; }

    /// <summary>Number of headers.</summary>
    public int HeaderCount { get; }

    /// <summary>Number of parts; none only where they are tensors, for a model without inputs.</summary>
    public int PartCount { get; }

    /// <summary>Where the payload, which parts are slices of, begins: in the frame's body, or in the shared memory.</summary>
    public int PayloadOffset { get; }

    /// <summary>Its bytes.</summary>
    public int PayloadLength { get; }

    /// <summary>Parses and checks a Run's body.</summary>
    /// <param name="body">The frame's body.</param>
    /// <param name="isShared">Whether the payload lies in shared memory (<see cref="FrameHeader.Shared"/>).</param>
    /// <exception cref="ProtocolException">A field reaches beyond the body, or a part beyond the payload.</exception>
    public static RunFrame Parse(ReadOnlySpan<byte> body, bool isShared) => new(body, isShared);

    /// <summary>Puts a request into a sender's buffer.</summary>
    /// <param name="sender">The worker's sender.</param>
    /// <param name="id">The request's id.</param>
    /// <param name="more">Another Run of the same batch follows at once.</param>
    /// <param name="deadlineMicroseconds">Microseconds left, or −1.</param>
    /// <param name="rows">Rows that it fills.</param>
    /// <param name="lane">Its lane.</param>
    /// <param name="payload">Headers, parts and body.</param>
    /// <param name="isShared">Whether the worker reads the body where it lies.</param>
    public static void Enqueue(FrameSender sender, ulong id, bool more, long deadlineMicroseconds, int rows, int lane, RequestPayload payload, bool isShared = false)
    {
        Span<byte> head = stackalloc byte[FixedBytes];
        BinaryPrimitives.WriteInt64LittleEndian(head, deadlineMicroseconds);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], (uint)rows);
        head[12] = (byte)lane;
        head[13] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(head[14..], payload.Headers);
        BinaryPrimitives.WriteUInt16LittleEndian(head[16..], payload.Parts);
        BinaryPrimitives.WriteUInt16LittleEndian(head[18..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(head[20..], (uint)payload.Head.Length);
        var flags = (byte)((more ? FrameHeader.More : 0) | (payload.AsksHandler ? FrameHeader.Describe : 0) | (payload.CarriesTensors ? FrameHeader.Tensors : 0));
        if (!isShared || payload.Shared is not { } shared)
        {
            sender.Enqueue(FrameType.Run, flags, id, head, payload);
            return;
        }

        Span<byte> place = stackalloc byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(place, shared.Start);
        BinaryPrimitives.WriteInt64LittleEndian(place[sizeof(long)..], payload.Body.Length);
        sender.Enqueue(FrameType.Run, (byte)(flags | FrameHeader.Shared), id, head, payload.Head.Span, place);
    }

    /// <summary>Reads the headers.</summary>
    /// <param name="target">They are added here.</param>
    public void ReadHeaders(ICollection<KeyValuePair<string, string>> target)
    {
        var fields = new SpanFields(_headers);
        for (var i = 0; i < HeaderCount; i++) target.Add(new(fields.ShortText(), fields.LongText()));
    }

    /// <summary>Reads the part table.</summary>
    /// <param name="target">Parts as name, content type, offset and length in the payload; they are added here.</param>
    public void ReadParts(ICollection<(string Name, string ContentType, int Offset, int Length)> target)
    {
        var texts = _texts ??= new TextCache();
        var fields = new SpanFields(_parts);
        for (var i = 0; i < PartCount; i++)
        {
            var name = texts.Get(fields.Bytes(fields.UInt16()));
            var contentType = texts.Get(fields.Bytes(fields.UInt16()));
            target.Add((name, contentType, (int)fields.UInt32(), (int)fields.UInt32()));
        }
    }
}
