using System.Collections.Concurrent;
using Serve.Core.Observability;

namespace Serve.Core.Tracing;

/// <summary>
/// Makes the spans of requests that have ended, many at a time and a little later: no thread that carries requests does it,
/// and none is woken for each. What comes faster than it can be made is dropped and counted.
/// </summary>
public sealed class TraceWriter : IDisposable
{
    private const int MostWaiting = 16_384;

    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentQueue<RequestTrace> _ended = new();
    private readonly Lock _writing = new();
    private readonly ITimer _timer;
    private int _waiting;
    private int _isArmed;

    /// <param name="time">The clock.</param>
    public TraceWriter(TimeProvider time)
    {
        // The timer must not carry the span of whoever happens to make it.
        var flow = ExecutionContext.SuppressFlow();
        try
        {
            _timer = time.CreateTimer(static state => ((TraceWriter)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
        finally
        {
            flow.Undo();
        }
    }

    /// <summary>Makes all spans of requests that have ended.</summary>
    public void Flush()
    {
        lock (_writing)
        {
            while (_ended.TryDequeue(out var trace))
            {
                Interlocked.Decrement(ref _waiting);
                StageSpans.Write(trace);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        Flush();
    }

    /// <summary>A request has ended.</summary>
    internal void Add(RequestTrace trace)
    {
        if (Interlocked.Increment(ref _waiting) > MostWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            ServeMetrics.TraceDropped();
            return;
        }

        ServeMetrics.TraceEnded();
        _ended.Enqueue(trace);
        if (Interlocked.Exchange(ref _isArmed, 1) == 0) _timer.Change(Delay, Timeout.InfiniteTimeSpan);
    }

    private void OnTimer()
    {
        // Before: what comes meanwhile arms it again.
        Volatile.Write(ref _isArmed, 0);
        Flush();
    }
}
