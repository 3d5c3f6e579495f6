using System.Diagnostics;
using System.Globalization;

namespace Serve.Core.Tracing;

/// <summary>
/// One inference that is traced: the span that stands for it, and what is noted on its way, from which the spans below are
/// made when it has ended (<see cref="TraceWriter"/>). Requests that are not sampled have none of it. Safe from any thread.
/// </summary>
public sealed class RequestTrace
{
    private readonly Lock _gate = new();
    private readonly TraceWriter _writer;
    private readonly long _started;
    private long _ended;
    private List<BatchTrace>? _batches;

    /// <summary>Notes what happens to an inference.</summary>
    /// <param name="span">Its span, which has begun; the writer ends it.</param>
    /// <param name="started">When it began, as a timestamp.</param>
    /// <param name="writer">Makes the other spans.</param>
    public RequestTrace(Activity span, long started, TraceWriter writer)
    {
        (Span, _started, _writer) = (span, started, writer);
        TraceId = span.TraceId.ToHexString();
    }

    /// <summary>The span that stands for it. Its tags belong to whoever ends it.</summary>
    public Activity Span { get; }

    /// <summary>The trace, in hexadecimal.</summary>
    public string TraceId { get; }

    /// <summary>What a worker is told, by the header <c>traceparent</c> (W3C Trace Context): spans that its handler makes are children of <see cref="Span"/>.</summary>
    public string TraceParent => $"00-{TraceId}-{Span.SpanId.ToHexString()}-01";

    /// <summary>The client's <c>tracestate</c>, which is passed on; null: none.</summary>
    public string? TraceState => Span.TraceStateString;

    /// <summary>The model that it is for, once it is known.</summary>
    public string? Model { get; private set; }

    /// <summary>Its version.</summary>
    public string? Version { get; private set; }

    /// <summary>When its body had arrived, as a timestamp; 0: the transport does not say.</summary>
    public long ReadTimestamp { get; set; }

    /// <summary>When writing its answer began, as a timestamp; 0: the transport does not say.</summary>
    public long WriteTimestamp { get; set; }

    /// <summary>When it came to its model's queue, as a timestamp; 0: it did not.</summary>
    internal long QueuedTimestamp { get; set; }

    /// <summary>When it was last handed to a worker; 0: never.</summary>
    internal long SentTimestamp { get; private set; }

    /// <summary>How often it was handed to a worker: more than once if one died over it.</summary>
    internal int Attempts { get; private set; }

    internal CacheUse? Cache { get; set; }

    internal WorkerRun? Run { get; private set; }

    internal long Started => _started;

    internal long Ended => _ended;

    /// <summary>The batches that it was in: one, unless workers died. For the writer, after its end.</summary>
    internal IReadOnlyList<BatchTrace> Batches => _batches ?? [];

    /// <summary>Says which model it is for.</summary>
    public void For(string model, string version) => (Model, Version) = (model, version);

    /// <summary>One of several inferences of the same call, with a span of its own below this one.</summary>
    /// <param name="name">The span's name.</param>
    /// <param name="started">When it began, as a timestamp.</param>
    /// <returns>Null: nobody listens any more.</returns>
    public RequestTrace? Part(string name, long started) =>
        SpanSource.Start(name, ActivityKind.Internal, Span.Context, At(started)) is { } span ? new RequestTrace(span, started, _writer) : null;

    /// <summary>One of several inferences of a call is answered.</summary>
    /// <param name="status">HTTP status, or the one that belongs to the call's.</param>
    public void EndPart(int status)
    {
        if (status >= 500) Span.SetTag("error.type", status.ToString(CultureInfo.InvariantCulture)).SetStatus(ActivityStatusCode.Error);
        End(Stopwatch.GetTimestamp());
    }

    /// <summary>It is answered: what has been noted goes to the writer. The tags of <see cref="Span"/> are set before.</summary>
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

    /// <summary>The time of a timestamp.</summary>
    internal DateTime At(long timestamp) => Span.StartTimeUtc + Stopwatch.GetElapsedTime(_started, timestamp);

    /// <summary>It goes to a worker. Under the version's lock.</summary>
    internal void Sent(long timestamp)
    {
        SentTimestamp = timestamp;
        Attempts++;
    }

    /// <summary>Its worker has answered.</summary>
    internal void Answered(WorkerRun run)
    {
        lock (_gate) if (_ended == 0) Run = run;
    }

    /// <summary>A batch that it is in begins.</summary>
    /// <returns>False: it has ended, because nobody waits for it any more.</returns>
    internal bool Join(BatchTrace batch)
    {
        lock (_gate)
        {
            if (_ended != 0) return false;
            (_batches ??= []).Add(batch);
            return true;
        }
    }
}
