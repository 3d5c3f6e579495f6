namespace Serve.Frontend.Logging;

/// <summary>Makes an event one line, which nothing in it can break or forge.</summary>
internal interface ILineFormat
{
    /// <summary>Makes a line.</summary>
    /// <param name="entry">The event.</param>
    /// <param name="line">Where it is appended, without its end.</param>
    void Format(in LogEntry entry, LineBuffer line);

    /// <summary>Makes a line of the access log. Hot path.</summary>
    /// <param name="access">What was answered.</param>
    /// <param name="at">When.</param>
    /// <param name="category">The listener.</param>
    /// <param name="traceId">The trace that it belongs to, or null.</param>
    /// <param name="line">Where it is appended, without its end.</param>
    void Format(in AccessLine access, DateTimeOffset at, string category, string? traceId, LineBuffer line) => Format(access.ToEntry(at, category, traceId), line);
}
