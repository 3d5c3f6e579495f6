using System.Diagnostics;

namespace Serve.Core.Tracing;

/// <summary>Where the server's spans come from.</summary>
public static class SpanSource
{
    /// <summary>The source's name, by which an exporter asks for its spans.</summary>
    public const string Name = "Serve";

    /// <summary>Whether anybody listens. Hot path.</summary>
    public static bool IsOn => Spans.HasListeners();

    /// <summary>The source.</summary>
    internal static ActivitySource Spans { get; } = new(Name, typeof(SpanSource).Assembly.GetName().Version?.ToString(3));

    /// <summary>Starts a span that does not become the thread's current one: requests change threads, and what they start must not belong to them for ever.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="kind">Server for a request, else internal.</param>
    /// <param name="parent">Its parent; a trace without a span begins that trace; default: it begins one of its own.</param>
    /// <param name="start">When it began; default: now.</param>
    /// <returns>Null: nobody listens.</returns>
    public static Activity? Start(string name, ActivityKind kind, in ActivityContext parent, DateTimeOffset start = default)
    {
        var current = Activity.Current;
        if (current is not null) Activity.Current = null;
        var span = Spans.StartActivity(name, kind, parent, tags: null, links: null, start);
        if (span is not null || current is not null) Activity.Current = current;
        return span;
    }
}
