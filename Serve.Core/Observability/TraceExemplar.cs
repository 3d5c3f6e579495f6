using Prometheus;
using Serve.Core.Tracing;

namespace Serve.Core.Observability;

/// <summary>What leads from a histogram's bucket to a trace. Only traced requests have one.</summary>
internal static class TraceExemplar
{
    private static readonly Exemplar.LabelKey Trace = Exemplar.Key("trace_id");
    private static readonly Exemplar.LabelKey Span = Exemplar.Key("span_id");

    /// <summary>Counts a time.</summary>
    /// <param name="histogram">Where.</param>
    /// <param name="time">The time.</param>
    /// <param name="exemplar">The trace that the bucket leads to from now on, or null.</param>
    public static void Observe(this Histogram.Child histogram, TimeSpan time, RequestTrace? exemplar)
    {
        if (exemplar is null) histogram.Observe(time.TotalSeconds);
        else histogram.Observe(time.TotalSeconds, Exemplar.From(Trace.WithValue(exemplar.TraceId), Span.WithValue(exemplar.SpanId)));
    }
}
