using System.Diagnostics;

namespace Serve.Core.Tracing;

/// <summary>
/// Makes the spans below a request's own out of what was noted: its stages are known by their times, by the frontend's clock
/// and by the worker's, which are put together as the stages of docs/metrics.md are.
/// </summary>
internal static class StageSpans
{
    // Of reading and writing: with small bodies there is nothing to be seen.
    private static readonly TimeSpan Notable = TimeSpan.FromMilliseconds(0.1);

    // Of the other stages: a span costs more than this.
    private const uint NotableMicroseconds = 10;

    /// <summary>Makes them, and ends the request's own span.</summary>
    public static void Write(RequestTrace trace)
    {
        var end = trace.At(trace.Ended);
        trace.Span.SetTag(SpanTags.Model, trace.Model).SetTag(SpanTags.Version, trace.Version);
        if (trace.Attempts > 1) trace.Span.SetTag(SpanTags.Attempts, trace.Attempts);
        if (trace.ReadTimestamp != 0) WriteNotable(trace, "read", trace.Span.StartTimeUtc, trace.At(trace.ReadTimestamp));
        if (trace.Cache is { } cache) WriteCache(trace, cache);
        if (trace.QueuedTimestamp != 0) Write(trace, "queue", trace.At(trace.QueuedTimestamp), trace.SentTimestamp == 0 ? end : trace.At(trace.SentTimestamp));
        WriteRun(trace, end);
        if (trace.WriteTimestamp != 0) WriteNotable(trace, "write", trace.At(trace.WriteTimestamp), end);
        trace.Span.SetEndTime(end > trace.Span.StartTimeUtc ? end : trace.Span.StartTimeUtc);
        trace.Span.Stop();
    }

    private static void WriteCache(RequestTrace trace, CacheUse cache)
    {
        trace.Span.SetTag(SpanTags.Cache, cache.Outcome);
        if (cache.Outcome != "miss") Write(trace, "cache", trace.At(cache.Began), trace.At(cache.Ended));
    }

    private static void WriteRun(RequestTrace trace, DateTime end)
    {
        DateTime? executes = null;
        var executed = end;
        Activity? execute = null;
        if (trace.Run is { } run)
        {
            // On the way there and back: half and half.
            var times = run.Times;
            var way = Stopwatch.GetElapsedTime(run.Sent, run.Arrived) - Microseconds((long)times.DecodeWait + times.Decode + times.Assemble + times.Execute + times.Encode);
            var at = trace.At(run.Sent) + (way > TimeSpan.Zero ? way / 2 : TimeSpan.Zero);
            Stage("decode_wait", times.DecodeWait);
            Stage("decode", times.Decode);
            Stage("assemble", times.Assemble);
            if (times.BatchRows > 0)
            {
                executes = at;
                execute = Begin(trace, "execute", at)?.SetTag(SpanTags.Rows, (int)times.BatchRows);
                at += Microseconds(times.Execute);
                executed = at;
            }

            Stage("encode", times.Encode);

            void Stage(string name, uint microseconds)
            {
                if (microseconds >= NotableMicroseconds) Write(trace, name, at, at + Microseconds(microseconds));
                at += Microseconds(microseconds);
            }
        }

        for (var i = 0; i < trace.Batches.Count; i++)
        {
            // Those before the last one ended with their workers.
            var isLast = i == trace.Batches.Count - 1;
            var batch = trace.Batches[i].Add(trace, isLast ? executes : null, isLast ? executed : trace.At(trace.SentTimestamp));
            if (isLast && batch is not null) execute?.AddLink(new ActivityLink(batch.Context));
        }

        execute?.SetEndTime(executed).Stop();
    }

    private static void WriteNotable(RequestTrace trace, string name, DateTime start, DateTime end)
    {
        if (end - start >= Notable) Write(trace, name, start, end);
    }

    private static void Write(RequestTrace trace, string name, DateTime start, DateTime end) => Begin(trace, name, start)?.SetEndTime(end > start ? end : start).Stop();

    private static Activity? Begin(RequestTrace trace, string name, DateTime start) => SpanSource.Start(name, ActivityKind.Internal, trace.Span.Context, start);

    private static TimeSpan Microseconds(long value) => TimeSpan.FromTicks(value * TimeSpan.TicksPerMicrosecond);
}
