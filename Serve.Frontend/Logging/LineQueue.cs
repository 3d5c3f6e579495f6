using System.Threading.Channels;
using Serve.Core.Observability;

namespace Serve.Frontend.Logging;

/// <summary>
/// Lines on their way to an output. A thread of its own writes, so that a slow terminal or disk never holds up a request;
/// what it cannot keep up with is dropped, counted, and told of in the log.
/// </summary>
internal sealed class LineQueue : IDisposable
{
    private const int MostWaiting = 10_000;
    private const int MostAtOnce = 1000;

    private readonly Channel<string> _lines = Channel.CreateBounded<string>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    private readonly ILineOutput _output;
    private readonly Func<string, string> _warn;
    private readonly LogMetrics _metrics;
    private readonly Thread _writer;
    private long _dropped;

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
    public void Add(string line)
    {
        if (!_lines.Writer.TryWrite(line)) Interlocked.Increment(ref _dropped);
    }

    /// <summary>Writes what is waiting, then ends.</summary>
    public void Dispose()
    {
        _lines.Writer.TryComplete();
        _writer.Join();
        _output.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            for (var i = 0; i < MostAtOnce && _lines.Reader.TryRead(out var line); i++) _output.Write(line);
            if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped)
            {
                _metrics.Dropped(dropped);
                _output.Write(_warn($"{dropped} lines were dropped: the output was too slow"));
            }

            if (_output.Flush() is > 0 and var lost) _metrics.Dropped(lost);
            if (_output.IsClosed) _lines.Writer.TryComplete();
            var more = _lines.Reader.WaitToReadAsync();
            if (!(more.IsCompleted ? more.Result : more.AsTask().GetAwaiter().GetResult())) return;
        }
    }
}
