namespace Serve.Core.Tracing;

/// <summary>How spans are gathered.</summary>
public sealed record TraceWriterOptions
{
    /// <summary>Attributes of the server that sends them.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Resource { get; init; } = [];

    /// <summary>The server's version.</summary>
    public string Version { get; init; } = "";

    /// <summary>How long spans may wait for others to be sent with.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>So many spans are sent without waiting for others.</summary>
    public int MostSpans { get; init; } = 8192;

    /// <summary>The most inferences that have ended and whose spans are not made yet, because those before them are not sent; more are dropped.</summary>
    public int MostWaiting { get; init; } = 16_384;

    /// <summary>For what there still is when the server stops.</summary>
    public TimeSpan LastPatience { get; init; } = TimeSpan.FromSeconds(3);
}
