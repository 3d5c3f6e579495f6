namespace Serve.Core.Tracing;

/// <summary>Attributes of spans that are Serve's own, and one that all share; the others are OpenTelemetry's semantic conventions. docs/tracing.md has them all.</summary>
public static class SpanTags
{
    /// <summary>The id of the request, as <c>x-request-id</c> has it.</summary>
    public static ReadOnlySpan<byte> RequestId => "serve.request.id"u8;

    /// <summary>OpenTelemetry's: what kind of failure it was.</summary>
    public static ReadOnlySpan<byte> Error => "error.type"u8;

    /// <summary>The model's name.</summary>
    internal static ReadOnlySpan<byte> Model => "serve.model.name"u8;

    /// <summary>The model's version.</summary>
    internal static ReadOnlySpan<byte> Version => "serve.model.version"u8;

    /// <summary>Rows of the batch.</summary>
    internal static ReadOnlySpan<byte> Rows => "serve.batch.rows"u8;

    /// <summary>Requests of the batch.</summary>
    internal static ReadOnlySpan<byte> Requests => "serve.batch.requests"u8;

    /// <summary>How often a request was handed to a worker.</summary>
    internal static ReadOnlySpan<byte> Attempts => "serve.attempts"u8;

    /// <summary>What the response cache did.</summary>
    internal static ReadOnlySpan<byte> Cache => "serve.cache.outcome"u8;
}
