using System.Diagnostics;

namespace Serve.Core.Tracing;

/// <summary>
/// Makes the spans of a request out of what was noted: its stages are known by their times, by the frontend's clock and by
/// the worker's, which are put together as the stages of docs/metrics.md are.
/// </summary>
internal static class StageSpans
{
    // Of reading and writing: with small bodies there is nothing to be seen.
    private static readonly long Notable = Microseconds(100);

    // Of the other stages: a span costs more than this.
    private const uint NotableMicroseconds = 10;

    /// <summary>Makes them.</summary>
    public static void Write(RequestTrace trace, OtlpSpans spans)
    {
        WriteOwn(trace, spans);
        if (trace.ReadTimestamp != 0) WriteNotable(trace, spans, "read", trace.Started, trace.ReadTimestamp);
        if (trace.Cache is { Outcome: not "miss" } cache) Write(trace, spans, "cache", cache.Began, cache.Ended);
        if (trace.QueuedTimestamp != 0) Write(trace, spans, "queue", trace.QueuedTimestamp, trace.SentTimestamp == 0 ? trace.Ended : trace.SentTimestamp);
        WriteRun(trace, spans);
        if (trace.WriteTimestamp != 0) WriteNotable(trace, spans, "write", trace.WriteTimestamp, trace.Ended);
        spans.Traces++;
    }

    private static void WriteOwn(RequestTrace trace, OtlpSpans spans)
    {
        spans.Begin(trace.Trace, trace.Span, trace.Parent, trace.Description.IsServer, trace.Started, trace.Ended);
        if (trace.TraceState is { } state) spans.State(state);
        trace.Description.WriteTo(spans);
        spans.Of(trace.Model, trace.Version);
        if (trace.Attempts > 1) spans.Attribute(SpanTags.Attempts, trace.Attempts);
        if (trace.Cache is { } cache) spans.Attribute(SpanTags.Cache, cache.Outcome);
        spans.End();
    }

    private static void WriteRun(RequestTrace trace, OtlpSpans spans)
    {
        var times = trace.WorkerTimes;
        var batch = trace.Batches is [.., var last] ? last : null;
        long? executes = null;
        var executed = trace.Ended;
        if (trace.AnswerTimestamp != 0)
        {
            // On the way there and back: half and half.
            var way = trace.AnswerTimestamp - trace.SentTimestamp - Microseconds((long)times.DecodeWait + times.Decode + times.Assemble + times.Execute + times.Encode);
            var at = trace.SentTimestamp + Math.Max(0, way) / 2;
            Stage("decode_wait", times.DecodeWait);
            Stage("decode", times.Decode);
            Stage("assemble", times.Assemble);
            if (times.BatchRows > 0)
            {
                executes = at;
                at += Microseconds(times.Execute);
                executed = at;
                Begin(trace, spans, "execute", executes.Value, executed);
                spans.Attribute(SpanTags.Rows, (int)times.BatchRows);
                if (batch is not null) spans.Link(batch.Trace, batch.Span);
                spans.End();
            }

            Stage("encode", times.Encode);

            void Stage(string name, uint microseconds)
            {
                if (microseconds >= NotableMicroseconds) Write(trace, spans, name, at, at + Microseconds(microseconds));
                at += Microseconds(microseconds);
            }
        }

        foreach (var of in trace.Batches)
        {
            // Those before the last one ended with their workers.
            if (of == batch) of.Add(trace, executes, executed, spans);
            else of.Add(trace, null, trace.SentTimestamp, spans);
        }
    }

    private static void WriteNotable(RequestTrace trace, OtlpSpans spans, string name, long start, long end)
    {
        if (end - start >= Notable) Write(trace, spans, name, start, end);
    }

    private static void Write(RequestTrace trace, OtlpSpans spans, string name, long start, long end)
    {
        Begin(trace, spans, name, start, end);
        spans.End();
    }

    private static void Begin(RequestTrace trace, OtlpSpans spans, string name, long start, long end)
    {
        spans.Begin(trace.Trace, TraceParent.NewSpan(), trace.Span, isServer: false, start, end);
        spans.Name(name);
    }

    // As a difference of timestamps.
    private static long Microseconds(long value) => value * Stopwatch.Frequency / 1_000_000;
}
