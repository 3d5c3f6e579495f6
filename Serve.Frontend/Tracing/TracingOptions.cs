using Serve.Core.Configuration;
using Serve.Core.Tracing;

namespace Serve.Frontend.Tracing;

/// <summary>Where traces go, how, and which requests are traced: the configuration, and below it OpenTelemetry's own environment variables.</summary>
internal sealed record TracingOptions
{
    private const string TracesPath = "v1/traces";
    private const string Exporter = "OTEL_EXPORTER_OTLP_";

    /// <summary>The collector.</summary>
    public required Uri Endpoint { get; init; }

    /// <summary>OTLP over gRPC; else over HTTP.</summary>
    public required bool IsGrpc { get; init; }

    /// <summary>Beside every message. Secret.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>What the collector is told of this server.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Resource { get; init; } = [];

    /// <summary>PEM: whom the collector's certificate is checked against; null: the system's authorities.</summary>
    public CertificateFile? CaFile { get; init; }

    /// <summary>PEM: who this server says it is; null: nobody.</summary>
    public CertificateFile? ClientCertificateFile { get; init; }

    /// <summary>PEM: the key that belongs to it; null: it is in the same file.</summary>
    public string? ClientKeyFile { get; init; }

    /// <summary>Whether messages are packed (gzip).</summary>
    public bool IsCompressed { get; init; }

    /// <summary>For an answer of the collector.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For a message with all its tries.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Until a message is tried again; twice as long each time.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How spans are gathered.</summary>
    public TraceWriterOptions Gathering { get; init; } = new();

    /// <summary>The share of requests that is traced where nobody has decided.</summary>
    public required double Ratio { get; init; }

    /// <summary>Whether the client's decision counts.</summary>
    public required bool FollowsParent { get; init; }

    /// <summary>What holds; null: nothing is traced.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="variable">The environment.</param>
    /// <exception cref="ConfigurationException">A variable, or a file with a header, cannot be used.</exception>
    public static TracingOptions? Of(TracingConfiguration configuration, Func<string, string?> variable)
    {
        var environment = new TracingVariables(variable);
        if (environment.IsTrue("OTEL_SDK_DISABLED")) return null;
        var isGrpc = (configuration.Protocol ?? OfExporter("PROTOCOL").Value ?? "grpc") switch
        {
            "grpc" => true,
            "http/protobuf" => false,
            var other => throw TracingVariables.Wrong(OfExporter("PROTOCOL").Name, $"{other} is not available; give grpc or http/protobuf"),
        };
        if (EndpointOf() is not { } endpoint) return null;
        var (ratio, followsParent) = environment.Sampling();
        return new TracingOptions
        {
            Endpoint = endpoint,
            IsGrpc = isGrpc,
            Headers = configuration.Headers.Count > 0
                ? [.. configuration.Headers.Select(environment.Header)]
                : TracingVariables.Pairs(OfExporter("HEADERS").Name, OfExporter("HEADERS").Value),
            Resource = environment.Resource(configuration.ServiceName),
            CaFile = configuration.CaFile is { } own ? new CertificateFile(own, "tracing.caFile") : FileOf("CERTIFICATE"),
            ClientCertificateFile = FileOf("CLIENT_CERTIFICATE"),
            ClientKeyFile = FileOf("CLIENT_KEY")?.Path,
            IsCompressed = OfExporter("COMPRESSION").Value switch
            {
                null or "none" => false,
                "gzip" => true,
                var other => throw TracingVariables.Wrong(OfExporter("COMPRESSION").Name, $"{other} is not available; give gzip or none"),
            },
            Timeout = TimeSpan.FromMilliseconds(environment.Number(OfExporter("TIMEOUT").Name, 10_000)),
            Patience = TimeSpan.FromMilliseconds(environment.Number("OTEL_BSP_EXPORT_TIMEOUT", 30_000)),
            Gathering = new TraceWriterOptions
            {
                Delay = TimeSpan.FromMilliseconds(environment.Number("OTEL_BSP_SCHEDULE_DELAY", 1000)),
                MostSpans = environment.Number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 8192),
                MostWaiting = environment.Number("OTEL_BSP_MAX_QUEUE_SIZE", 16_384),
            },
            Ratio = configuration.SamplingRatio ?? ratio,
            FollowsParent = followsParent || configuration.SamplingRatio is not null,
        };

        // What is said of traces goes before what is said of everything.
        (string Name, string? Value) OfExporter(string what) => environment.Given($"{Exporter}TRACES_{what}") is { } traces ? ($"{Exporter}TRACES_{what}", traces) : (Exporter + what, environment.Given(Exporter + what));

        CertificateFile? FileOf(string what) => OfExporter(what) is (var name, { } path) ? new CertificateFile(path, name) : null;

        Uri? EndpointOf()
        {
            if (configuration.Endpoint is { } own) return WithPath(new Uri(own), isComplete: isGrpc || new Uri(own).AbsolutePath != "/");
            if (environment.Given("OTEL_TRACES_EXPORTER") is { } exporter && exporter != "otlp") return null;
            if (environment.Given($"{Exporter}TRACES_ENDPOINT") is { } traces) return TracingVariables.Url($"{Exporter}TRACES_ENDPOINT", traces);
            return environment.Given($"{Exporter}ENDPOINT") is { } all ? WithPath(TracingVariables.Url($"{Exporter}ENDPOINT", all), isComplete: isGrpc) : null;
        }
    }

    private static Uri WithPath(Uri endpoint, bool isComplete) => isComplete ? endpoint : new Uri($"{endpoint.GetLeftPart(UriPartial.Path).TrimEnd('/')}/{TracesPath}");

    /// <summary>A file, and the setting that names it.</summary>
    internal sealed record CertificateFile(string Path, string Setting);
}
