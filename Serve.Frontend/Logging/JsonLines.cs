using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Serve.Frontend.Logging;

/// <summary>An object on each line: <c>time</c>, <c>level</c>, <c>logger</c>, <c>message</c>, <c>exception</c>, the message's values by their names, <c>traceId</c>.</summary>
internal sealed class JsonLines : ILineFormat
{
    private static readonly HashSet<string> Own = ["time", "level", "logger", "message", "exception", "traceId"];

    // Not for HTML: quotes and control characters are escaped, letters of other scripts stay as they are.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <inheritdoc/>
    public void Format(in LogEntry entry, LineBuffer line)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(bytes, Options))
        {
            json.WriteStartObject();
            json.WriteString("time", entry.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("level", entry.Level == LogLevel.Critical ? "error" : entry.Level.ToString().ToLowerInvariant());
            json.WriteString("logger", entry.Category);
            json.WriteString("message", entry.Message);
            if (entry.Exception is { } exception) json.WriteString("exception", exception.ToString());
            foreach (var (name, value) in entry.Fields ?? []) WriteField(json, name, value);
            if (entry.TraceId is { } trace) json.WriteString("traceId", trace);
            json.WriteEndObject();
        }

        line.Append(bytes.WrittenSpan);
    }

    private static void WriteField(Utf8JsonWriter json, string name, object? value)
    {
        if (name.Length == 0 || name[0] == '{') return; // the template of the message
        name = char.ToLowerInvariant(name[0]) + name[1..];
        if (Own.Contains(name)) return;
        switch (value)
        {
            case null: json.WriteNull(name); break;
            case bool flag: json.WriteBoolean(name, flag); break;
            case int number: json.WriteNumber(name, number); break;
            case long number: json.WriteNumber(name, number); break;
            case double number when double.IsFinite(number): json.WriteNumber(name, number); break;
            default: json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture)); break;
        }
    }
}
