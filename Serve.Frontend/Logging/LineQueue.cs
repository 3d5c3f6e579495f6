using System.Collections.Concurrent;
using Serve.Core.Observability;

namespace Serve.Frontend.Logging;

/// <summary>
/// Lines on their way to an output. A thread of its own writes, so that a slow terminal or disk never holds up a request;
/// what it cannot keep up with is dropped, counted, and told of in the log. It is woken for many lines at a time: waking it
/// for each would cost a request more than the line does.
/// </summary>
internal sealed class LineQueue : IDisposable
{
    private const int MostWaiting = 10_000;
    private const int MostAtOnce = 1000;

    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentQueue<QueuedLine> _lines = new();
    private readonly ManualResetEventSlim _wake = new(false, spinCount: 0);
    private readonly ManualResetEventSlim _ends = new(false, spinCount: 0);
    private readonly LineBuffer _text = new();
    private readonly ILineOutput _output;
    private readonly Func<string, string> _warn;
    private readonly LogMetrics _metrics;
    private readonly Thread _writer;
    private int _waiting;
    private long _dropped;
    private volatile bool _isClosed;

    /// <param name="output">The output; the queue's from now on.</param>
    /// <param name="name">The log's name.</param>
    /// <param name="warn">Makes a warning one line of this log.</param>
    public LineQueue(ILineOutput output, string name, Func<string, string> warn)
    {
        (_output, _warn, _metrics) = (output, warn, ServeMetrics.Log(name));
        _writer = new Thread(Run) { IsBackground = true, Name = $"log {name}" };
        _writer.Start();
    }

    /// <summary>Adds a line, or drops it.</summary>
    public void Add(string line) => Add(new QueuedLine { Text = line });

    /// <summary>Adds a line, or drops it. Hot path.</summary>
    public void Add(in QueuedLine line)
    {
        if (_isClosed) return;
        if (Interlocked.Increment(ref _waiting) > MostWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            Interlocked.Increment(ref _dropped);
            return;
        }

        _lines.Enqueue(line);
        if (!_wake.IsSet) _wake.Set();
    }

    /// <summary>Writes what is waiting, then ends.</summary>
    public void Dispose()
    {
        _ends.Set();
        _wake.Set();
        _writer.Join();
        _output.Dispose();
        _wake.Dispose();
        _ends.Dispose();
    }

    private void Run()
    {
        while (!_isClosed)
        {
            _wake.Wait();
            _ends.Wait(Gathering);

            // Before it looks: what comes from now on wakes it again, the end too.
            _wake.Reset();
            var isLast = _ends.IsSet;
            while (WriteSome())
            {
                // Until nothing waits.
            }

            if (isLast) return;
        }
    }

    private bool WriteSome()
    {
        // Once for all of them: every request's thread writes there. Nobody else takes lines away.
        var count = Math.Min(_lines.Count, MostAtOnce);
        Interlocked.Add(ref _waiting, -count);
        for (var i = 0; i < count && _lines.TryDequeue(out var line); i++)
        {
            line.AppendTo(_text.Clear());
            _output.Write(_text.Text);
        }

        if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
        {
            _metrics.Dropped(dropped);
            _output.Write(_warn($"{dropped} lines were dropped: the output was too slow"));
        }

        if (_output.Flush() is > 0 and var lost) _metrics.Dropped(lost);
        _isClosed = _output.IsClosed;
        return count == MostAtOnce && !_isClosed;
    }
}
