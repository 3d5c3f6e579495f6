namespace Serve.Core.Configuration;

/// <summary>
/// Where traces of requests go: the section <c>tracing</c> of the server's configuration. What it leaves out, OpenTelemetry's
/// own environment variables (<c>OTEL_…</c>) may say.
/// </summary>
public sealed record TracingConfiguration
{
    /// <summary>
    /// The collector (OTLP): <c>http://HOST:4317</c>, or <c>https://</c> for TLS. Null: <c>OTEL_EXPORTER_OTLP_TRACES_ENDPOINT</c>
    /// or <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>; without those nothing is traced.
    /// </summary>
    public string? Endpoint { get; init; }

    /// <summary><c>grpc</c> or <c>http/protobuf</c>. Null: <c>OTEL_EXPORTER_OTLP_PROTOCOL</c>, else grpc.</summary>
    public string? Protocol { get; init; }

    /// <summary>
    /// Which share of the requests is traced whose clients have not decided it (<c>traceparent</c>): 0 to 1. Null:
    /// <c>OTEL_TRACES_SAMPLER</c> and <c>OTEL_TRACES_SAMPLER_ARG</c>, else all.
    /// </summary>
    public double? SamplingRatio { get; init; }

    /// <summary>
    /// Headers for the collector, <c>NAME=VALUE</c>; a value <c>env:NAME</c> or <c>file:PATH</c> is read from there. Empty:
    /// <c>OTEL_EXPORTER_OTLP_HEADERS</c>.
    /// </summary>
    public IReadOnlyList<string> Headers { get; init; } = [];

    /// <summary>The service's name in traces. Null: <c>OTEL_SERVICE_NAME</c>, else <c>serve</c>.</summary>
    public string? ServiceName { get; init; }

    /// <summary>PEM: the authorities that the collector's certificate is checked against. Null: <c>OTEL_EXPORTER_OTLP_CERTIFICATE</c>, else the system's.</summary>
    public string? CaFile { get; init; }
}
