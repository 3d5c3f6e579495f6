using System.Buffers.Binary;
using System.Diagnostics;
using Serve.Core.Protocol;

namespace Serve.Core.Tracing;

/// <summary>
/// One inference that is traced: the ids of the span that stands for it, and what is noted on its way, from which all spans
/// are made when it has ended (<see cref="TraceWriter"/>). Requests that are not sampled have none of it. Safe from any thread.
/// </summary>
public sealed class RequestTrace
{
    /// <summary>Letters of <c>traceparent</c>.</summary>
    public const int TraceParentLength = 55;

    private const int TraceLetters = 32;
    private const int SpanLetters = 16;

    private readonly Lock _gate = new();
    private readonly TraceWriter _writer;
    private readonly TraceParent _parent;
    private long _ended;
    private string? _traceId;
    private string? _spanId;
    private BatchTrace[] _batches = [];

    /// <summary>Notes what happens to an inference.</summary>
    /// <param name="parent">What its span belongs to.</param>
    /// <param name="description">What its span says.</param>
    /// <param name="started">When it began, as a timestamp.</param>
    /// <param name="writer">Makes the spans.</param>
    public RequestTrace(in TraceParent parent, ISpanDescription description, long started, TraceWriter writer)
    {
        (_parent, Description, Started, _writer) = (parent, description, started, writer);
        Span = Tracing.TraceParent.NewSpan();
    }

    /// <summary>What its span says besides its times.</summary>
    public ISpanDescription Description { get; }

    /// <summary>The trace, in hexadecimal.</summary>
    public string TraceId => _traceId ??= string.Create(TraceLetters, Trace, static (text, id) => Format(id, text));

    /// <summary>Its span, in hexadecimal.</summary>
    public string SpanId => _spanId ??= string.Create(SpanLetters, Span, static (text, id) => Format(id, text));

    /// <summary>The client's <c>tracestate</c>, which is passed on; null: none.</summary>
    public string? TraceState => _parent.State;

    /// <summary>The model that it is for, once it is known.</summary>
    public string? Model { get; private set; }

    /// <summary>Its version.</summary>
    public string? Version { get; private set; }

    /// <summary>When its body had arrived, as a timestamp; 0: the transport does not say.</summary>
    public long ReadTimestamp { get; set; }

    /// <summary>When writing its answer began, as a timestamp; 0: the transport does not say.</summary>
    public long WriteTimestamp { get; set; }

    internal UInt128 Trace => _parent.Trace;

    internal ulong Span { get; }

    /// <summary>The span that it is below; 0: none.</summary>
    internal ulong Parent => _parent.Span;

    internal long Started { get; }

    internal long Ended => _ended;

    /// <summary>When it came to its model's queue, as a timestamp; 0: it did not.</summary>
    internal long QueuedTimestamp { get; set; }

    /// <summary>When it was last handed to a worker; 0: never.</summary>
    internal long SentTimestamp { get; private set; }

    /// <summary>How often it was handed to a worker: more than once if one died over it.</summary>
    internal int Attempts { get; private set; }

    /// <summary>When its worker's answer, or the last part of it, came; 0: never.</summary>
    internal long AnswerTimestamp { get; private set; }

    /// <summary>Where the time at that worker went, by its clock.</summary>
    internal OutputTimes WorkerTimes { get; private set; }

    internal CacheUse? Cache { get; set; }

    /// <summary>Whether histograms show it as one of those that took as long.</summary>
    internal bool IsExemplar { get; set; }

    /// <summary>The batches that it was in: one, unless workers died. For the writer, after its end.</summary>
    internal ReadOnlySpan<BatchTrace> Batches => _batches;

    /// <summary>Says which model it is for.</summary>
    public void For(string model, string version) => (Model, Version) = (model, version);

    /// <summary>Writes what a worker is told, by the header <c>traceparent</c> (W3C Trace Context): spans that its handler makes are children of this one.</summary>
    /// <param name="text">At least <see cref="TraceParentLength"/> letters.</param>
    public void FormatTraceParent(Span<char> text)
    {
        "00-".CopyTo(text);
        Format(Trace, text[3..]);
        text[3 + TraceLetters] = '-';
        Format(Span, text[(4 + TraceLetters)..]);
        "-01".CopyTo(text[(4 + TraceLetters + SpanLetters)..]);
    }

    /// <summary>One of several inferences of the same call, with a span of its own below this one.</summary>
    /// <param name="name">The span's name.</param>
    /// <param name="started">When it began, as a timestamp.</param>
    public RequestTrace Part(string name, long started) => new(new TraceParent(Trace, Span, TraceState), new InferPart(name), started, _writer);

    /// <summary>One of several inferences of a call (<see cref="Part"/>) is answered.</summary>
    /// <param name="status">HTTP status, or the one that belongs to the call's.</param>
    public void EndPart(int status)
    {
        if (Description is InferPart part) part.Status = status;
        End(Stopwatch.GetTimestamp());
    }

    /// <summary>It is answered: what has been noted goes to the writer. <see cref="Description"/> is complete before.</summary>
    /// <param name="timestamp">When.</param>
    public void End(long timestamp)
    {
        lock (_gate)
        {
            if (_ended != 0) return;
            _ended = timestamp;
        }

        _writer.Add(this);
    }

    /// <summary>It goes to a worker. Under the version's lock.</summary>
    internal void Sent(long timestamp)
    {
        SentTimestamp = timestamp;
        Attempts++;
    }

    /// <summary>Its worker has answered.</summary>
    internal void Answered(long timestamp, in OutputTimes times)
    {
        lock (_gate)
        {
            if (_ended == 0) (AnswerTimestamp, WorkerTimes) = (timestamp, times);
        }
    }

    /// <summary>A batch that it is in begins.</summary>
    /// <returns>False: it has ended, because nobody waits for it any more.</returns>
    internal bool Join(BatchTrace batch)
    {
        lock (_gate)
        {
            if (_ended != 0) return false;
            _batches = [.. _batches, batch];
            return true;
        }
    }

    // As bytes: numbers are formatted in hexadecimal a digit at a time.
    private static void Format(UInt128 id, Span<char> text)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, id);
        Convert.TryToHexStringLower(bytes, text, out _);
    }

    private static void Format(ulong id, Span<char> text)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, id);
        Convert.TryToHexStringLower(bytes, text, out _);
    }
}
