using Serve.Core.Protocol;
using Serve.Core.Tracing;

namespace Serve.Frontend.Tracing;

/// <summary>What a worker is told of a trace: the headers of W3C Trace Context, with the server's span as the parent.</summary>
internal static class TracedPayload
{
    private const string TraceParent = "traceparent";
    private const string TraceState = "tracestate";

    /// <summary>Has what happens to a payload noted, and its handler told. Before its parts are added.</summary>
    /// <param name="payload">The payload.</param>
    /// <param name="trace">What is noted; null: it is not traced, and nothing is done.</param>
    public static void Follow(this RequestPayload payload, RequestTrace? trace)
    {
        if (trace is null) return;
        payload.Trace = trace;
        Span<char> parent = stackalloc char[RequestTrace.TraceParentLength];
        trace.FormatTraceParent(parent);
        payload.AddHeader(TraceParent, parent);
        if (trace.TraceState is { } state) payload.AddHeader(TraceState, state);
    }

    /// <summary>Whether <see cref="Follow"/> says a header itself.</summary>
    public static bool IsOfTrace(string name) => name.Length switch
    {
        11 => name.Equals(TraceParent, StringComparison.OrdinalIgnoreCase),
        10 => name.Equals(TraceState, StringComparison.OrdinalIgnoreCase),
        _ => false,
    };
}
