using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Logging;

/// <summary>Lines for people: time, level, category, message.</summary>
/// <param name="colours">Whether they are for a terminal.</param>
internal sealed class TextLines(bool colours) : ILineFormat
{
    /// <inheritdoc/>
    public string Format(in LogEntry entry)
    {
        var line = new LineBuffer();
        AppendHead(line, entry.At, entry.Level, entry.Category);
        line.AppendOneLine(entry.Message);
        if (entry.TraceId is { } trace) line.Append(" trace ").Append(trace);
        if (entry.Exception is { } exception) line.Append(": ").AppendOneLine(exception.ToString());
        return line.ToString();
    }

    /// <inheritdoc/>
    public void Format(in AccessLine line, DateTimeOffset at, string category, string? traceId, LineBuffer text)
    {
        AppendHead(text, at, LogLevel.Information, category);
        line.AppendTo(text);
        text.Append(' ').Append(line.RequestId ?? "");
        if (traceId is not null) text.Append(" trace ").Append(traceId);
    }

    private void AppendHead(LineBuffer line, DateTimeOffset at, LogLevel level, string category)
    {
        var (name, colour) = level switch
        {
            LogLevel.Trace => ("trace", "\e[2m"),
            LogLevel.Debug => ("debug", "\e[2m"),
            LogLevel.Information => ("info ", "\e[32m"),
            LogLevel.Warning => ("warn ", "\e[33m"),
            _ => ("error", "\e[31m"),
        };
        if (colours) line.Append("\e[2m").Append(at, '.').Append("Z\e[0m ").Append(colour).Append(name).Append("\e[0m ");
        else line.Append(at, '.').Append("Z ").Append(name).Append(' ');
        line.Append(category).Append(": ");
    }
}
