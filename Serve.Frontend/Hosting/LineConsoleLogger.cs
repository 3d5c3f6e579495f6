using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Writes one line an event to standard output: time, level, category, message. A thread of its own writes, so that a
/// slow terminal never holds up a request; what it cannot keep up with is dropped and counted.
/// </summary>
internal sealed class LineConsoleLoggerProvider : ILoggerProvider
{
    private const int MostWaiting = 10_000;

    private readonly Channel<string> _lines = Channel.CreateBounded<string>(
        new BoundedChannelOptions(MostWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    private readonly TimeProvider _time;
    private readonly TextWriter _output;
    private readonly bool _colours;
    private readonly Thread _writer;
    private long _dropped;

    public LineConsoleLoggerProvider(TimeProvider time, TextWriter output, bool colours)
    {
        (_time, _output, _colours) = (time, output, colours);
        _writer = new Thread(WriteLines) { IsBackground = true, Name = "log" };
        _writer.Start();
    }

    /// <inheritdoc/>
    /// <remarks>A class's name loses its namespace; a model version (<c>fashion-vit/1.0</c>) stays whole.</remarks>
    public ILogger CreateLogger(string categoryName) =>
        new LineLogger(this, categoryName.Contains('/', StringComparison.Ordinal) ? categoryName : categoryName[(categoryName.LastIndexOf('.') + 1)..]);

    /// <summary>Writes what is waiting, then ends.</summary>
    public void Dispose()
    {
        _lines.Writer.TryComplete();
        _writer.Join();
    }

    private void Add(string line)
    {
        if (!_lines.Writer.TryWrite(line)) Interlocked.Increment(ref _dropped);
    }

    private void WriteLines()
    {
        try
        {
            while (true)
            {
                while (_lines.Reader.TryRead(out var line)) _output.WriteLine(line);
                if (Interlocked.Exchange(ref _dropped, 0) is > 0 and var dropped) _output.WriteLine(Format(LogLevel.Warning, "log", $"{dropped} lines were dropped: the output was too slow", null));
                _output.Flush();
                var more = _lines.Reader.WaitToReadAsync();
                if (!(more.IsCompleted ? more.Result : more.AsTask().GetAwaiter().GetResult())) return;
            }
        }
        catch (IOException)
        {
            // Standard output is closed: nobody reads the log, and the server serves on.
            _lines.Writer.TryComplete();
        }
    }

    private string Format(LogLevel level, string category, string message, Exception? exception)
    {
        var (name, colour) = level switch
        {
            LogLevel.Trace => ("trace", "\e[2m"),
            LogLevel.Debug => ("debug", "\e[2m"),
            LogLevel.Information => ("info ", "\e[32m"),
            LogLevel.Warning => ("warn ", "\e[33m"),
            _ => ("error", "\e[31m"),
        };
        var line = new StringBuilder(128);
        var at = _time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        if (_colours) line.Append("\e[2m").Append(at).Append("\e[0m ").Append(colour).Append(name).Append("\e[0m ");
        else line.Append(at).Append(' ').Append(name).Append(' ');
        line.Append(category).Append(": ");
        AppendOneLine(line, message);
        if (exception is not null) AppendOneLine(line.Append(": "), exception.ToString());
        return line.ToString();
    }

    // A model's name or a client's header must not be able to forge a line, nor to move the cursor.
    private static void AppendOneLine(StringBuilder line, string text)
    {
        foreach (var letter in text)
        {
            switch (letter)
            {
                case '\n': line.Append("\\n"); break;
                case '\r': break;
                case '\t': line.Append(' '); break;
                case var c when char.IsControl(c): line.Append('?'); break;
                default: line.Append(letter); break;
            }
        }
    }

    private sealed class LineLogger(LineConsoleLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            provider.Add(provider.Format(logLevel, category, formatter(state, exception), exception));
    }
}
