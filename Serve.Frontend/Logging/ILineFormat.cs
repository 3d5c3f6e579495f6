namespace Serve.Frontend.Logging;

/// <summary>Makes an event one line, which nothing in it can break or forge.</summary>
internal interface ILineFormat
{
    /// <summary>The line, without its end.</summary>
    string Format(in LogEntry entry);

    /// <summary>Makes a line of the access log, on the log's thread.</summary>
    /// <param name="line">The line.</param>
    /// <param name="at">When.</param>
    /// <param name="category">The listener.</param>
    /// <param name="traceId">The trace that it belongs to, or null.</param>
    /// <param name="text">Where it is appended.</param>
    void Format(in AccessLine line, DateTimeOffset at, string category, string? traceId, LineBuffer text) => text.Append(Format(line.ToEntry(at, category, traceId)));
}
