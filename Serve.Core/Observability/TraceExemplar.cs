using Prometheus;
using Serve.Core.Tracing;

namespace Serve.Core.Observability;

/// <summary>What leads from a histogram's bucket to a trace. Only traced requests have one.</summary>
internal static class TraceExemplar
{
    private static readonly Exemplar.LabelKey Trace = Exemplar.Key("trace_id");
    private static readonly Exemplar.LabelKey Span = Exemplar.Key("span_id");

    /// <summary>Counts a time, with an exemplar if the request is traced.</summary>
    public static void Observe(this Histogram.Child histogram, TimeSpan time, RequestTrace? trace)
    {
        if (trace is null) histogram.Observe(time.TotalSeconds);
        else histogram.Observe(time.TotalSeconds, Exemplar.From(Trace.WithValue(trace.TraceId), Span.WithValue(trace.SpanId)));
    }
}
