namespace Serve.Frontend.Logging;

/// <summary>Makes an event one line, which nothing in it can break or forge.</summary>
internal interface ILineFormat
{
    /// <summary>The line, without its end.</summary>
    string Format(in LogEntry entry);
}
