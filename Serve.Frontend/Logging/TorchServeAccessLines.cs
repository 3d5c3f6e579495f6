namespace Serve.Frontend.Logging;

/// <summary>TorchServe's access log, for programs that read it: <c>2026-01-02T03:04:05,006 - /127.0.0.1:4711 "POST /predictions/m HTTP/1.1" 200 12</c>, the last being milliseconds.</summary>
internal sealed class TorchServeAccessLines : ILineFormat
{
    /// <inheritdoc/>
    public string Format(in LogEntry entry) => new LineBuffer().Append(entry.At, ',').Append(" - /").AppendOneLine(entry.Message).ToString();

    /// <inheritdoc/>
    public void Format(in AccessLine line, DateTimeOffset at, string category, string? traceId, LineBuffer text)
    {
        // Neither the request's id nor its trace, which TorchServe does not log.
        line.AppendTo(text.Append(at, ',').Append(" - /"));
    }
}
