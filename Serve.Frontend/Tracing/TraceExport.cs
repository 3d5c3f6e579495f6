using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Serve.Core.Configuration;
using Serve.Core.Tracing;
using Serve.Frontend.Commands;

namespace Serve.Frontend.Tracing;

/// <summary>OpenTelemetry's exporter: gathers spans and sends them to the collector, on a thread of its own.</summary>
internal static class TraceExport
{
    /// <summary>Begins to export.</summary>
    /// <exception cref="ConfigurationException">The authorities' file cannot be used.</exception>
    public static TracerProvider Start(TracingOptions options)
    {
        var authorities = options.CaFile is { } file ? Authorities(file) : null;
        return Sdk.CreateTracerProviderBuilder()
            .AddSource(SpanSource.Name)

            // Which requests are traced has been decided before there is a span.
            .SetSampler(new AlwaysOnSampler())
            .ConfigureResource(resource => resource.AddService(options.ServiceName, serviceVersion: ServeCommandLine.Version))
            .AddOtlpExporter(otlp =>
            {
                otlp.Endpoint = options.Endpoint;
                otlp.Protocol = options.IsGrpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
                if (options.Headers is { } headers) otlp.Headers = headers;
                if (authorities is not null) otlp.HttpClientFactory = () => ClientOf(authorities, otlp.TimeoutMilliseconds);

                // Thousands of sampled requests a second have some spans each.
                var batch = otlp.BatchExportProcessorOptions;
                if (Environment.GetEnvironmentVariable("OTEL_BSP_MAX_QUEUE_SIZE") is null) batch.MaxQueueSize = 16_384;
                if (Environment.GetEnvironmentVariable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") is null) batch.MaxExportBatchSize = 2048;
                if (Environment.GetEnvironmentVariable("OTEL_BSP_SCHEDULE_DELAY") is null) batch.ScheduledDelayMilliseconds = 1000;
            })
            .Build();
    }

    private static X509Certificate2Collection Authorities(string file)
    {
        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(file);
            if (authorities.Count > 0) return authorities;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw Wrong(e.Message);
        }

        throw Wrong($"{file} has no certificate");

        static ConfigurationException Wrong(string why) => new([new ConfigurationProblem(new ConfigurationOrigin("tracing.caFile"), "", why)]);
    }

    private static HttpClient ClientOf(X509Certificate2Collection authorities, int timeoutMilliseconds)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities);
        return new HttpClient(new SocketsHttpHandler { SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy } }) { Timeout = TimeSpan.FromMilliseconds(timeoutMilliseconds) };
    }
}
