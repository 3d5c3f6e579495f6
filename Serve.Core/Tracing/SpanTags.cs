namespace Serve.Core.Tracing;

/// <summary>Attributes of spans that are Serve's own; the others are OpenTelemetry's semantic conventions. docs/tracing.md has them all.</summary>
public static class SpanTags
{
    /// <summary>The model's name.</summary>
    public const string Model = "serve.model.name";

    /// <summary>The model's version.</summary>
    public const string Version = "serve.model.version";

    /// <summary>The id of the request, as <c>x-request-id</c> has it.</summary>
    public const string RequestId = "serve.request.id";

    /// <summary>Rows of the batch.</summary>
    public const string Rows = "serve.batch.rows";

    /// <summary>How often a request was handed to a worker.</summary>
    internal const string Attempts = "serve.attempts";

    /// <summary>What the response cache did.</summary>
    internal const string Cache = "serve.cache.outcome";
}
