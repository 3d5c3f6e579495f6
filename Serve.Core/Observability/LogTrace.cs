using Serve.Core.Tracing;

namespace Serve.Core.Observability;

/// <summary>Of which trace the lines are that this thread logs at the moment: <c>using (LogTrace.Of(trace)) Log…</c>.</summary>
public readonly struct LogTrace : IDisposable
{
    [ThreadStatic]
    private static string? _current;

    /// <summary>The trace's id in hexadecimal; null: none.</summary>
    public static string? Current => _current;

    private readonly bool _isSet;

    private LogTrace(string trace) => (_current, _isSet) = (trace, true);

    /// <summary>From now on; no <c>await</c> may lie between this and the end. Hot path for requests that are not traced.</summary>
    /// <param name="trace">The trace; null: none, as before.</param>
    public static LogTrace Of(RequestTrace? trace) => trace is null ? default : new LogTrace(trace.TraceId);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isSet) _current = null;
    }
}
