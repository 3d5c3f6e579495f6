using System.Runtime.Intrinsics.X86;
using Serve.Core.Observability;

namespace Serve.Frontend.Logging;

/// <summary>
/// Lines on their way to an output: bytes in a buffer, behind one another. A thread of its own writes them, so that a slow
/// terminal or disk never holds up a request; what it cannot keep up with is dropped, counted, and told of in the log. It is
/// woken for many lines at a time: waking it for each would cost a request more than the line does.
/// </summary>
internal sealed class LineQueue : IDisposable
{
    private const int MostWaiting = 10_000;
    private const int MostBytes = 16 << 20;

    // What a burst has made longer is left to the collector.
    private const int MostKept = 1 << 20;

    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LastPatience = TimeSpan.FromSeconds(2);

    private readonly ManualResetEventSlim _wake = new(false, spinCount: 0);
    private readonly ManualResetEventSlim _ends = new(false, spinCount: 0);
    private readonly ILineOutput _output;
    private readonly Action<string, LineBuffer> _warn;
    private readonly LogMetrics _metrics;
    private readonly Thread _writer;

    // All below belongs to the gate, but for what is being written.
    private readonly Lock _gate = new();
    private byte[] _filling = new byte[4096];
    private byte[] _writing = new byte[4096];
    private int _length;
    private int _lines;
    private long _dropped;
    private bool _isClosed;

    /// <param name="output">The output; the queue's from now on.</param>
    /// <param name="name">The log's name.</param>
    /// <param name="warn">Makes a warning one line of this log.</param>
    public LineQueue(ILineOutput output, string name, Action<string, LineBuffer> warn)
    {
        (_output, _warn, _metrics) = (output, warn, ServeMetrics.Log(name));
        _writer = new Thread(Run) { IsBackground = true, Name = $"log {name}" };
        _writer.Start();
    }

    /// <summary>Adds a line, or drops it. Hot path.</summary>
    /// <param name="line">UTF-8, without its end.</param>
    public void Add(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            if (_isClosed) return;
            if (_lines == MostWaiting || (_lines > 0 && _length + line.Length > MostBytes))
            {
                _dropped++;
                return;
            }

            if (_filling.Length - _length <= line.Length) Array.Resize(ref _filling, Math.Max(2 * _filling.Length, _length + line.Length + 1));
            line.CopyTo(_filling.AsSpan(_length));
            _length += line.Length;
            _filling[_length++] = (byte)'\n';
            Prefetch(_filling, _length);
            if (_lines++ > 0) return;
        }

        _wake.Set();
    }

    // The buffer is written from end to end and does not stay in the processor's cache; leaving the lock would wait for it.
    private static unsafe void Prefetch(byte[] buffer, int at)
    {
        if (!Sse.IsSupported || at + 256 > buffer.Length) return;
        fixed (byte* next = &buffer[at])
        {
            Sse.Prefetch0(next + 64);
            Sse.Prefetch0(next + 128);
            Sse.Prefetch0(next + 192);
        }
    }

    /// <summary>Writes what is waiting, then ends. An output that takes nothing any more, a pipe that nobody reads, is left to the end of the process.</summary>
    public void Dispose()
    {
        _ends.Set();
        _wake.Set();
        if (!_writer.Join(LastPatience)) return;
        _output.Dispose();
        _wake.Dispose();
        _ends.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _wake.Wait();
            _ends.Wait(Gathering);

            // Before it looks: what comes from now on wakes it again, the end too.
            _wake.Reset();
            var isLast = _ends.IsSet;
            if (!WriteWaiting() || isLast) return;
        }
    }

    private bool WriteWaiting()
    {
        int length;
        long dropped;
        lock (_gate)
        {
            (_filling, _writing) = (_writing, _filling);
            (length, dropped) = (_length, _dropped);
            (_length, _lines, _dropped) = (0, 0, 0);
        }

        var lost = length == 0 ? 0 : _output.Write(_writing.AsSpan(0, length));
        if (_writing.Length > MostKept) _writing = new byte[4096];
        if (dropped > 0)
        {
            _metrics.Dropped(dropped);
            lost += _output.Write(Warning($"{dropped} lines were dropped: the output was too slow"));
        }

        if (lost > 0) _metrics.Dropped(lost);
        if (!_output.IsClosed) return true;
        lock (_gate) _isClosed = true;
        return false;
    }

    private ReadOnlySpan<byte> Warning(string text)
    {
        // Not the thread's own: the output may have something to tell while it writes this.
        var line = new LineBuffer();
        _warn(text, line);
        return line.Append("\n"u8).Text;
    }
}
