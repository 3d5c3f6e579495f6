using System.Globalization;
using System.Text;

namespace Serve.Frontend.Logging;

/// <summary>TorchServe's access log, for programs that read it: <c>2026-01-02T03:04:05,006 - /127.0.0.1:4711 "POST /predictions/m HTTP/1.1" 200 12</c>, the last being milliseconds.</summary>
internal sealed class TorchServeAccessLines : ILineFormat
{
    /// <inheritdoc/>
    public string Format(in LogEntry entry)
    {
        var line = new StringBuilder(128);
        line.Append(entry.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss,fff", CultureInfo.InvariantCulture)).Append(" - /");

        // The request's id, which TorchServe does not log, is the last word.
        var id = entry.Fields?.FirstOrDefault(field => field.Key == "RequestId").Value as string;
        TextLines.AppendOneLine(line, id is null ? entry.Message : entry.Message[..^(id.Length + 1)]);
        return line.ToString();
    }
}
