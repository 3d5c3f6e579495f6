using System.Collections.Concurrent;
using Serve.Core.Observability;

namespace Serve.Core.Tracing;

/// <summary>
/// Makes the spans of requests that have ended, many at a time and a little later, on a thread of its own: no thread that
/// carries requests does it, none is woken for each, and none of the thread pool's, which look for more work for a while
/// before they sleep. While one message is on its way the next one fills; what comes faster than that is dropped and counted.
/// </summary>
public sealed class TraceWriter : IDisposable
{
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(50);

    private static int _running;

    private readonly ConcurrentQueue<RequestTrace> _ended = new();
    private readonly ManualResetEventSlim _wake = new(false, spinCount: 0);
    private readonly ManualResetEventSlim _ends = new(false, spinCount: 0);
    private readonly CancellationTokenSource _late = new();
    private readonly TraceWriterOptions _options;
    private readonly ISpanExport _export;
    private readonly TimeProvider _time;
    private readonly WallClock _clock;
    private readonly Thread _thread;
    private OtlpSpans _filling;
    private OtlpSpans _other;
    private Task _sending = Task.CompletedTask;
    private long _first;
    private int _waiting;

    /// <param name="options">How they are gathered.</param>
    /// <param name="export">Where they go.</param>
    /// <param name="time">The clock.</param>
    public TraceWriter(TraceWriterOptions options, ISpanExport export, TimeProvider time)
    {
        (_options, _export, _time, _clock) = (options, export, time, new WallClock(time));
        (_filling, _other) = (Empty(), Empty());
        _thread = new Thread(Run) { IsBackground = true, Name = "traces" };
        Interlocked.Increment(ref _running);
        _thread.UnsafeStart();

        OtlpSpans Empty() => new(options.Resource, options.Version, _clock);
    }

    /// <summary>Whether any request of this process may be traced. Hot path.</summary>
    public static bool IsOn => Volatile.Read(ref _running) > 0;

    /// <summary>Makes and sends all spans of requests that have ended, as far as there is time for it.</summary>
    public void Dispose()
    {
        if (_ends.IsSet) return;
        Interlocked.Decrement(ref _running);
        _late.CancelAfter(_options.LastPatience);
        _ends.Set();
        _wake.Set();
        _thread.Join();
        _late.Dispose();
        _wake.Dispose();
        _ends.Dispose();
    }

    /// <summary>A request has ended. Hot path of those that are traced.</summary>
    internal void Add(RequestTrace trace)
    {
        if (Interlocked.Increment(ref _waiting) > _options.MostWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            ServeMetrics.TracesDropped(1);

            // Or the batches' spans would wait for it.
            foreach (var batch in trace.Batches) batch.Without();
            return;
        }

        ServeMetrics.TraceEnded();
        _ended.Enqueue(trace);
        if (!_wake.IsSet) _wake.Set();
    }

    private void Run()
    {
        while (true)
        {
            // Awake as long as there is something to be sent.
            if (_filling.Count == 0) _wake.Wait();
            _ends.Wait(Gathering);

            // Before it looks: what comes from now on wakes it again, the end too.
            _wake.Reset();
            if (_ends.IsSet) break;
            WriteSome();
        }

        // What was there when it ended, and no more than that.
        do
        {
            _sending.Wait();
            Fill();
            if (_filling.Count > 0) Send();
        }
        while (!_ended.IsEmpty);

        _sending.Wait();
    }

    private void WriteSome()
    {
        while (true)
        {
            Fill();
            if (_filling.Count == 0 || !_sending.IsCompleted) break;
            if (!IsFull && _time.GetElapsedTime(_first) < _options.Delay) break;
            Send();
        }
    }

    private bool IsFull => _filling.Count >= _options.MostSpans || _filling.IsLong;

    private void Fill()
    {
        if (_filling.Count == 0) _first = _time.GetTimestamp();
        _clock.Set();
        while (!IsFull && _ended.TryDequeue(out var trace))
        {
            Interlocked.Decrement(ref _waiting);
            StageSpans.Write(trace, _filling);
        }
    }

    private void Send()
    {
        (_filling, _other) = (_other, _filling);
        _other.Complete();
        _sending = SendAsync(_other);
    }

    private async Task SendAsync(OtlpSpans spans)
    {
        // Not on this thread, which has the next ones to write.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var isTaken = false;
        try
        {
            isTaken = await _export.SendAsync(spans, _late.Token).ConfigureAwait(false);
        }
        finally
        {
            if (!isTaken) ServeMetrics.TracesDropped(spans.Traces);
            spans.Clear();
        }
    }
}
