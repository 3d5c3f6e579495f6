using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Logging;

/// <summary>Lines for people: time, level, category, message.</summary>
/// <param name="colours">Whether they are for a terminal.</param>
internal sealed class TextLines(bool colours) : ILineFormat
{
    /// <inheritdoc/>
    public void Format(in LogEntry entry, LineBuffer line)
    {
        AppendHead(line, entry.At, entry.Level, entry.Category);
        line.AppendOneLine(entry.Message);
        if (entry.TraceId is { } trace) line.Append(" trace "u8).Append(trace);
        if (entry.Exception is { } exception) line.Append(": "u8).AppendOneLine(exception.ToString());
    }

    /// <inheritdoc/>
    public void Format(in AccessLine access, DateTimeOffset at, string category, string? traceId, LineBuffer line)
    {
        AppendHead(line, at, LogLevel.Information, category);
        access.AppendTo(line);
        line.Append((byte)' ').Append(access.RequestId);
        if (traceId is not null) line.Append(" trace "u8).Append(traceId);
    }

    private void AppendHead(LineBuffer line, DateTimeOffset at, LogLevel level, string category)
    {
        if (colours) line.Append("\e[2m"u8).Append(at, (byte)'.').Append("Z\e[0m "u8).Append(Colour(level)).Append(Name(level)[2..^1]).Append("\e[0m "u8);
        else line.Append(at, (byte)'.').Append(Name(level));
        line.Append(category).Append(": "u8);
    }

    // With what is before and after it.
    private static ReadOnlySpan<byte> Name(LogLevel level) => level switch
    {
        LogLevel.Trace => "Z trace "u8,
        LogLevel.Debug => "Z debug "u8,
        LogLevel.Information => "Z info  "u8,
        LogLevel.Warning => "Z warn  "u8,
        _ => "Z error "u8,
    };

    private static ReadOnlySpan<byte> Colour(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "\e[2m"u8,
        LogLevel.Information => "\e[32m"u8,
        LogLevel.Warning => "\e[33m"u8,
        _ => "\e[31m"u8,
    };
}
