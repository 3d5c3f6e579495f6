namespace Serve.Core.Tracing;

/// <summary>Brings spans to where they are kept.</summary>
public interface ISpanExport
{
    /// <summary>Sends a message. It does not throw: it tells of what went wrong by itself.</summary>
    /// <param name="spans">The message, untouched until this is done.</param>
    /// <param name="ending">Cancelled when there is no more time for it.</param>
    /// <returns>Whether it was taken; else it is lost.</returns>
    Task<bool> SendAsync(OtlpSpans spans, CancellationToken ending);
}
