using Serve.Core.Tracing;

namespace Serve.Core.Observability;

/// <summary>Of which trace the lines are that this thread logs at the moment: <c>using (LogTrace.Of(trace)) Log…</c>.</summary>
public readonly struct LogTrace : IDisposable
{
    [ThreadStatic]
    private static string? _current;

    /// <summary>The trace's id in hexadecimal; null: none.</summary>
    public static string? Current => _current;

    /// <summary>From now on; no <c>await</c> may lie between this and the end.</summary>
    /// <param name="trace">The trace; null: none.</param>
    public static LogTrace Of(RequestTrace? trace)
    {
        _current = trace?.TraceId;
        return default;
    }

    /// <inheritdoc/>
    public void Dispose() => _current = null;
}
