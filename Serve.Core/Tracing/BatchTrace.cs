using System.Diagnostics;

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
    private Activity? _span;
    private DateTime _end;

    public int Rows => rows;

    /// <summary>A traced request had ended before the batch began.</summary>
    public void Without() => Interlocked.Decrement(ref _left);

    /// <summary>Adds a member that has ended. The writer's; so are the others.</summary>
    /// <param name="trace">The member.</param>
    /// <param name="start">When it executed; null: no worker said.</param>
    /// <param name="end">Until when.</param>
    /// <returns>The batch's span, for a link; null: nobody listens any more.</returns>
    public Activity? Add(RequestTrace trace, DateTime? start, DateTime end)
    {
        _span ??= Begin(trace, start ?? trace.At(begun));
        _span?.AddLink(new ActivityLink(trace.Span.Context));
        if (end > _end) _end = end;
        if (Interlocked.Decrement(ref _left) > 0 || _span is null) return _span;
        _span.SetEndTime(_end > _span.StartTimeUtc ? _end : _span.StartTimeUtc);
        _span.Stop();
        return _span;
    }

    private Activity? Begin(RequestTrace trace, DateTime start) => SpanSource.Start($"batch {trace.Model}", ActivityKind.Internal, default, start)?
        .SetTag(SpanTags.Model, trace.Model).SetTag(SpanTags.Version, trace.Version).SetTag(SpanTags.Rows, rows).SetTag("serve.batch.requests", requests);
}
