namespace Serve.Core.Tracing;

/// <summary>
/// A batch that has traced requests. It belongs to none of them, so its span begins a trace of its own, with a link to each;
/// it is complete when the last of them has ended.
/// </summary>
/// <param name="rows">All its rows.</param>
/// <param name="requests">All its requests.</param>
/// <param name="begun">When the frontend was told of it, as a timestamp.</param>
/// <param name="members">How many of its requests are traced.</param>
internal sealed class BatchTrace(int rows, int requests, long begun, int members)
{
    private int _left = members;
    private List<RequestTrace>? _ended;
    private long _start;
    private long _end;

    public UInt128 Trace { get; } = TraceParent.NewTrace();

    public ulong Span { get; } = TraceParent.NewSpan();

    /// <summary>One of its traced requests has no part in its span: it had ended before the batch began, or is dropped.</summary>
    public void Without() => Interlocked.Decrement(ref _left);

    /// <summary>Adds a member that has ended; with the last one the batch's span is written. The writer's.</summary>
    /// <param name="member">The member.</param>
    /// <param name="start">When it executed, as a timestamp; null: no worker said.</param>
    /// <param name="end">Until when.</param>
    /// <param name="spans">Where it is written.</param>
    public void Add(RequestTrace member, long? start, long end, OtlpSpans spans)
    {
        if (_ended is null)
        {
            _ended = [];
            _start = start ?? begun;
        }

        _ended.Add(member);
        _end = Math.Max(_end, end);
        if (Interlocked.Decrement(ref _left) > 0) return;
        spans.Begin(Trace, Span, parent: 0, isServer: false, _start, _end);
        spans.Name("batch", member.Model ?? "");
        spans.Of(member.Model, member.Version);
        spans.Attribute(SpanTags.Rows, rows);
        spans.Attribute(SpanTags.Requests, requests);
        foreach (var request in _ended) spans.Link(request.Trace, request.Span);
        spans.End();
    }
}
