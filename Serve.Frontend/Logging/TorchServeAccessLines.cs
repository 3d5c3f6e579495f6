namespace Serve.Frontend.Logging;

/// <summary>TorchServe's access log, for programs that read it: <c>2026-01-02T03:04:05,006 - /127.0.0.1:4711 "POST /predictions/m HTTP/1.1" 200 12</c>, the last being milliseconds.</summary>
internal sealed class TorchServeAccessLines : ILineFormat
{
    /// <inheritdoc/>
    public void Format(in LogEntry entry, LineBuffer line) => line.Append(entry.At, (byte)',').Append(" - /"u8).AppendOneLine(entry.Message);

    /// <inheritdoc/>
    public void Format(in AccessLine access, DateTimeOffset at, string category, string? traceId, LineBuffer line)
    {
        // Neither the request's id nor its trace, which TorchServe does not log.
        access.AppendTo(line.Append(at, (byte)',').Append(" - /"u8));
    }
}
