using System.Buffers.Binary;
using System.Text;
using Serve.Core.Observability;

namespace Serve.Core.Tracing;

/// <summary>
/// Spans as one message of OTLP (<c>ExportTraceServiceRequest</c> of opentelemetry-proto), written straight into a buffer:
/// a traced request has no objects for its spans. One thread writes, and then hands it to who sends it.
/// </summary>
public sealed class OtlpSpans
{
    // Servers of gRPC refuse messages of more than 4 MiB, unless they are told otherwise.
    private const int MostBytes = 2 << 20;

    // A message's head over gRPC: whether it is compressed, and its length.
    private const int FrameBytes = 5;

    private const int Internal = 1;
    private const int Server = 2;
    private const int Error = 2;

    // W3C's flag "sampled"; what is known of the parent; that it is remote.
    private const uint Sampled = 0x101;
    private const uint RemoteParent = 0x200;

    private readonly ProtobufBuffer _message = new(64 << 10);
    private readonly int _resource;
    private readonly int _scope;
    private readonly int _empty;
    private readonly WallClock _clock;
    private int _span;

    /// <summary>A message without spans.</summary>
    /// <param name="resource">Attributes of the server that sends it.</param>
    /// <param name="version">The server's version.</param>
    /// <param name="clock">What the timestamps mean.</param>
    internal OtlpSpans(IReadOnlyList<KeyValuePair<string, string>> resource, string version, WallClock clock)
    {
        _clock = clock;
        _message.Length = FrameBytes;
        _resource = _message.Begin(1);
        var attributes = _message.Begin(1);
        foreach (var (name, value) in resource) Attribute(1, Encoding.UTF8.GetBytes(name), value);
        _message.End(attributes);
        _scope = _message.Begin(2);
        var scope = _message.Begin(1);
        _message.Bytes(1, "Serve"u8);
        _message.Bytes(2, Encoding.UTF8.GetBytes(version));
        _message.End(scope);
        _empty = _message.Length;
    }

    /// <summary>How many spans it has.</summary>
    public int Count { get; private set; }

    /// <summary>How many inferences they are of.</summary>
    public int Traces { get; internal set; }

    /// <summary>Whether it is as long as a message should be.</summary>
    internal bool IsLong => _message.Length >= MostBytes;

    /// <summary>The message. Of its owner, until the next span is written.</summary>
    public ReadOnlyMemory<byte> Message => _message.Written[FrameBytes..];

    /// <summary>The message as gRPC frames it.</summary>
    public ReadOnlyMemory<byte> Framed => _message.Written;

    /// <summary>Names the span.</summary>
    public void Name(string name) => Text(5, name);

    /// <summary>Names the span by two words.</summary>
    public void Name(string first, string second)
    {
        var (before, after) = (Encoding.UTF8.GetByteCount(first), Encoding.UTF8.GetByteCount(second));
        _message.Head(5, before + 1 + after);
        _message.Text(first, before);
        _message.Raw(" "u8);
        _message.Text(second, after);
    }

    /// <summary>Says something of the span; null: nothing.</summary>
    public void Attribute(ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null) Attribute(9, name, value);
    }

    /// <summary>Says something of the span, by a number that is not negative.</summary>
    public void Attribute(ReadOnlySpan<byte> name, long value)
    {
        var number = (ulong)Math.Max(value, 0);
        Key(9, name, 1 + ProtobufBuffer.SizeOf(number));
        _message.Varint(3, number);
    }

    /// <summary>
    /// Says what spans in a row mostly say in the same words: it is made of its parts where they differ from the last ones, and
    /// else copied.
    /// </summary>
    /// <typeparam name="T">The parts; each kind has its own last ones.</typeparam>
    /// <param name="parts">What it is made of.</param>
    /// <param name="write">Writes it; nothing but names and attributes.</param>
    public void Repeated<T>(in T parts, Action<OtlpSpans, T> write)
        where T : struct, IEquatable<T>
    {
        ArgumentNullException.ThrowIfNull(write);
        if (Phrase<T>.Last is { } last && parts.Equals(last.Parts))
        {
            _message.Raw(last.Bytes);
            return;
        }

        var start = _message.Length;
        write(this, parts);
        Phrase<T>.Last = new Phrase<T>(parts, _message.Written.Span[start..].ToArray());
    }

    /// <summary>Says that what the span is of has failed.</summary>
    public void Failed()
    {
        _message.Head(15, 2);
        _message.Varint(3, Error);
    }

    /// <summary>Begins a span.</summary>
    /// <param name="trace">The trace.</param>
    /// <param name="id">Its id.</param>
    /// <param name="parent">Its parent's; 0: it has none.</param>
    /// <param name="isServer">Whether it is what a client asked for; its parent, if there is one, is elsewhere then.</param>
    /// <param name="start">When, as a timestamp.</param>
    /// <param name="end">Until when.</param>
    internal void Begin(UInt128 trace, ulong id, ulong parent, bool isServer, long start, long end)
    {
        _span = _message.Begin(2);
        Ids(trace, id);
        if (parent != 0) Id(4, parent);
        _message.Varint(6, isServer ? Server : (ulong)Internal);
        _message.Fixed64(7, _clock.NanosecondsOf(start));
        _message.Fixed64(8, _clock.NanosecondsOf(Math.Max(start, end)));
        _message.Fixed32(16, isServer && parent != 0 ? Sampled | RemoteParent : Sampled);
    }

    /// <summary>Adds the client's <c>tracestate</c>.</summary>
    internal void State(string state) => Text(3, state);

    /// <summary>Says which model it is of; null: none that is known.</summary>
    internal void Of(string? model, string? version) => Repeated((model, version), static (span, it) =>
    {
        span.Attribute(SpanTags.Model, it.model);
        span.Attribute(SpanTags.Version, it.version);
    });

    /// <summary>Adds a link to another span.</summary>
    internal void Link(UInt128 trace, ulong id)
    {
        _message.Head(13, 18 + 10);
        Ids(trace, id);
    }

    /// <summary>Ends the span.</summary>
    internal void End()
    {
        _message.End(_span);
        Count++;
    }

    /// <summary>Makes it a message that can be sent.</summary>
    internal void Complete()
    {
        _message.End(_scope);
        _message.End(_resource);
        var frame = _message.Written.Span[..FrameBytes];
        frame[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(frame[1..], _message.Length - FrameBytes);
    }

    /// <summary>Forgets all spans.</summary>
    internal void Clear()
    {
        _message.Length = _empty;
        Count = Traces = 0;
    }

    private void Ids(UInt128 trace, ulong id)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, trace);
        _message.Bytes(1, bytes);
        Id(2, id);
    }

    private void Id(int field, ulong id)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, id);
        _message.Bytes(field, bytes);
    }

    private void Text(int field, string text)
    {
        var bytes = Encoding.UTF8.GetByteCount(text);
        _message.Head(field, bytes);
        _message.Text(text, bytes);
    }

    private void Attribute(int field, ReadOnlySpan<byte> name, string value)
    {
        var bytes = Encoding.UTF8.GetByteCount(value);
        Key(field, name, 1 + ProtobufBuffer.SizeOf((ulong)bytes) + bytes);
        _message.Head(1, bytes);
        _message.Text(value, bytes);
    }

    // A KeyValue up to its value, which follows.
    private void Key(int field, ReadOnlySpan<byte> name, int valueBytes)
    {
        _message.Head(field, 1 + ProtobufBuffer.SizeOf((ulong)name.Length) + name.Length + 1 + ProtobufBuffer.SizeOf((ulong)valueBytes) + valueBytes);
        _message.Bytes(1, name);
        _message.Head(2, valueBytes);
    }

    /// <summary>What was written last, by the thread that writes.</summary>
    private sealed record Phrase<T>(T Parts, byte[] Bytes)
        where T : struct, IEquatable<T>
    {
        [ThreadStatic]
        internal static Phrase<T>? Last;
    }
}
