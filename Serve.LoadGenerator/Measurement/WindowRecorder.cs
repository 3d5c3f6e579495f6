using System.Diagnostics;
using System.Text;
using Serve.LoadGenerator.Load;

namespace Serve.LoadGenerator.Measurement;

/// <summary>What one thread of load sees, in windows that another takes. Safe from both.</summary>
/// <param name="targets">How many targets there are.</param>
/// <param name="objective">The time within which an answer is a good one.</param>
internal sealed class WindowRecorder(int targets, TimeSpan? objective)
{
    private readonly Lock _gate = new();
    private LoadWindow _window = new(targets);
    private long _waitedTicks;
    private Exception? _failure;

    /// <summary>A request was answered.</summary>
    /// <param name="target">What it asked for, as an index.</param>
    /// <param name="status">The answer's status.</param>
    /// <param name="latency">How long it took.</param>
    /// <param name="bodyStart">What the answer says first; shown where it is an error.</param>
    public void Answered(int target, int status, TimeSpan latency, ReadOnlySpan<byte> bodyStart)
    {
        lock (_gate)
        {
            _window.AddAnswer(target, status, latency, objective);
            if (status is < 200 or > 299 && _window.FirstError is null) _window.Explain($"{status}: {Encoding.UTF8.GetString(bodyStart).Trim()}");
        }
    }

    /// <summary>A request has no answer.</summary>
    public void Failed(LoadFault fault, string words)
    {
        lock (_gate)
        {
            _window.AddFault(fault);
            _window.Explain(words);
        }
    }

    /// <summary>A request was sent so much later than it should have been.</summary>
    public void SentLate(TimeSpan delay)
    {
        lock (_gate) _window.SendDelay.Record(delay);
    }

    /// <summary>The thread had nothing to do for so long.</summary>
    public void Waited(long ticks) => Interlocked.Add(ref _waitedTicks, ticks);

    /// <summary>The thread has ended for want of better: whoever takes the next window is told.</summary>
    public void Broke(Exception failure)
    {
        lock (_gate) _failure = failure;
    }

    /// <summary>What was seen since the last call.</summary>
    /// <param name="backlog">Requests that wait for a connection.</param>
    /// <exception cref="InvalidOperationException">The thread has ended.</exception>
    public LoadWindow Take(int backlog)
    {
        var next = new LoadWindow(targets);
        lock (_gate)
        {
            if (_failure is not null) throw new InvalidOperationException("The load has ended by itself.", _failure);
            var window = _window;
            window.Backlog = backlog;
            window.Waited = Stopwatch.GetElapsedTime(0, Interlocked.Exchange(ref _waitedTicks, 0));
            _window = next;
            return window;
        }
    }
}
