namespace Serve.Frontend.Logging;

/// <summary>A line on its way: text, or a line of the access log that is not text yet.</summary>
internal readonly record struct QueuedLine
{
    /// <summary>The text; null: it is one of the access log.</summary>
    public string? Text { get; init; }

    /// <summary>What was answered.</summary>
    public AccessLine Access { get; init; }

    /// <summary>Makes text of it.</summary>
    public ILineFormat? Format { get; init; }

    /// <summary>When.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>Who tells it.</summary>
    public string? Category { get; init; }

    /// <summary>The trace that it belongs to, or null.</summary>
    public string? TraceId { get; init; }

    /// <summary>Appends the text, on the log's thread.</summary>
    public void AppendTo(LineBuffer text)
    {
        if (Text is not null) text.Append(Text);
        else Format!.Format(Access, At, Category!, TraceId, text);
    }
}
