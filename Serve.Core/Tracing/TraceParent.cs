namespace Serve.Core.Tracing;

/// <summary>What a request's span belongs to (W3C Trace Context).</summary>
/// <param name="Trace">The trace's id.</param>
/// <param name="Span">The client's span; 0: the request's begins the trace.</param>
/// <param name="State">The client's <c>tracestate</c>, or null.</param>
public readonly record struct TraceParent(UInt128 Trace, ulong Span, string? State)
{
    /// <summary>An id for a span, never 0.</summary>
    internal static ulong NewSpan() => (ulong)Random.Shared.NextInt64(1, long.MaxValue);

    /// <summary>An id for a trace, never 0.</summary>
    internal static UInt128 NewTrace() => new((ulong)Random.Shared.NextInt64(), NewSpan());
}
