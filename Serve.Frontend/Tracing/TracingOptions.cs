using System.Globalization;
using Serve.Core.Configuration;
using Serve.Core.Configuration.Tokens;

namespace Serve.Frontend.Tracing;

/// <summary>Where traces go and which requests are traced: the configuration, and below it OpenTelemetry's own environment variables.</summary>
/// <param name="Endpoint">The collector.</param>
/// <param name="IsGrpc">OTLP over gRPC; else over HTTP.</param>
/// <param name="Headers">As OpenTelemetry has them: <c>a=b,c=d</c>. Secret.</param>
/// <param name="ServiceName">The service.</param>
/// <param name="CaFile">PEM: whom the collector's certificate is checked against; null: as the exporter does by itself.</param>
/// <param name="Ratio">The share of requests that is traced where nobody has decided.</param>
/// <param name="FollowsParent">Whether the client's decision counts.</param>
internal sealed record TracingOptions(Uri Endpoint, bool IsGrpc, string? Headers, string ServiceName, string? CaFile, double Ratio, bool FollowsParent)
{
    private const string TracesPath = "v1/traces";

    /// <summary>What holds; null: nothing is traced.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <param name="variable">The environment.</param>
    /// <exception cref="ConfigurationException">A variable, or a file with a header, cannot be used.</exception>
    public static TracingOptions? Of(TracingConfiguration configuration, Func<string, string?> variable)
    {
        if (IsTrue("OTEL_SDK_DISABLED")) return null;
        var isGrpc = (configuration.Protocol ?? Given("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") ?? Given("OTEL_EXPORTER_OTLP_PROTOCOL") ?? "grpc") switch
        {
            "grpc" => true,
            "http/protobuf" => false,
            var other => throw Wrong("OTEL_EXPORTER_OTLP_PROTOCOL", $"{other} is not available; give grpc or http/protobuf"),
        };
        if (EndpointOf(isGrpc) is not { } endpoint) return null;
        var (ratio, followsParent) = Sampling();
        return new TracingOptions(
            endpoint,
            isGrpc,
            configuration.Headers.Count > 0 ? string.Join(',', configuration.Headers.Select(header => Header(header, variable))) : Given("OTEL_EXPORTER_OTLP_TRACES_HEADERS") ?? Given("OTEL_EXPORTER_OTLP_HEADERS"),
            configuration.ServiceName ?? Given("OTEL_SERVICE_NAME") ?? "serve",
            configuration.CaFile,
            configuration.SamplingRatio ?? ratio,
            followsParent || configuration.SamplingRatio is not null);

        Uri? EndpointOf(bool grpc)
        {
            if (configuration.Endpoint is { } own) return WithPath(new Uri(own), isComplete: grpc || new Uri(own).AbsolutePath != "/");
            if (Given("OTEL_TRACES_EXPORTER") is { } exporter && exporter != "otlp") return null;
            if (Given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") is { } traces) return Parse("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces);
            return Given("OTEL_EXPORTER_OTLP_ENDPOINT") is { } all ? WithPath(Parse("OTEL_EXPORTER_OTLP_ENDPOINT", all), isComplete: grpc) : null;
        }

        (double Ratio, bool FollowsParent) Sampling() => Given("OTEL_TRACES_SAMPLER") switch
        {
            null or "parentbased_always_on" => (1, true),
            "always_on" => (1, false),
            "always_off" => (0, false),
            "parentbased_always_off" => (0, true),
            "traceidratio" => (RatioOf(), false),
            "parentbased_traceidratio" => (RatioOf(), true),
            var other => throw Wrong("OTEL_TRACES_SAMPLER", $"{other} is not available; give always_on, always_off or traceidratio, with parentbased_ before it where the client decides"),
        };

        double RatioOf()
        {
            if (Given("OTEL_TRACES_SAMPLER_ARG") is not { } text) return 1;
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var ratio) && ratio is >= 0 and <= 1 ? ratio : throw Wrong("OTEL_TRACES_SAMPLER_ARG", $"{text} is no number from 0 to 1");
        }

        string? Given(string name) => variable(name) is { } text && text.Trim() is { Length: > 0 } trimmed ? trimmed : null;

        bool IsTrue(string name) => Given(name) is { } text && text.Equals("true", StringComparison.OrdinalIgnoreCase);
    }

    private static Uri WithPath(Uri endpoint, bool isComplete) => isComplete ? endpoint : new Uri($"{endpoint.GetLeftPart(UriPartial.Path).TrimEnd('/')}/{TracesPath}");

    private static Uri Parse(string name, string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps) ? url : throw Wrong(name, "it must be an http:// or https:// URL");

    // Commas and percent signs would be taken for something else.
    private static string Header(string header, Func<string, string?> variable)
    {
        var source = TracingSettings.SourceOf(header, out var name, out var value);
        if (source is not null) value = Read(name, source, variable);
        return $"{name}={Uri.EscapeDataString(value)}";
    }

    private static string Read(string name, TokenSource source, Func<string, string?> variable)
    {
        if (source.Kind == TokenSourceKind.Variable) return variable(source.Value)?.Trim() is { Length: > 0 } text ? text : throw Wrong("tracing.headers", $"{name}: the environment variable {source.Value} is not set");
        try
        {
            return File.ReadAllText(source.Value).Trim() is { Length: > 0 } text ? text : throw Wrong("tracing.headers", $"{name}: the file {source.Value} is empty");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrong("tracing.headers", $"{name}: {e.Message}");
        }
    }

    private static ConfigurationException Wrong(string name, string why) => new([new ConfigurationProblem(new ConfigurationOrigin(name), "", why)]);
}
