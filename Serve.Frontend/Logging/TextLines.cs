using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Logging;

/// <summary>Lines for people: time, level, category, message.</summary>
/// <param name="colours">Whether they are for a terminal.</param>
internal sealed class TextLines(bool colours) : ILineFormat
{
    /// <inheritdoc/>
    public string Format(in LogEntry entry)
    {
        var (name, colour) = entry.Level switch
        {
            LogLevel.Trace => ("trace", "\e[2m"),
            LogLevel.Debug => ("debug", "\e[2m"),
            LogLevel.Information => ("info ", "\e[32m"),
            LogLevel.Warning => ("warn ", "\e[33m"),
            _ => ("error", "\e[31m"),
        };
        var line = new StringBuilder(128);
        var at = entry.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        if (colours) line.Append("\e[2m").Append(at).Append("\e[0m ").Append(colour).Append(name).Append("\e[0m ");
        else line.Append(at).Append(' ').Append(name).Append(' ');
        line.Append(entry.Category).Append(": ");
        AppendOneLine(line, entry.Message);
        if (entry.TraceId is { } trace) line.Append(" trace ").Append(trace);
        if (entry.Exception is { } exception) AppendOneLine(line.Append(": "), exception.ToString());
        return line.ToString();
    }

    /// <summary>Appends text that stays on its line: a model's name or a client's header must not be able to forge one, nor to move the cursor.</summary>
    internal static void AppendOneLine(StringBuilder line, string text)
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
}
