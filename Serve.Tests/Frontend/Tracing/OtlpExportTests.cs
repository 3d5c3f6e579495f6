using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Core.Tracing;
using Serve.Frontend.Tracing;
using Serve.Tests.EndToEnd;
using Serve.Tests.EndToEnd.Tracing;

namespace Serve.Tests.Frontend.Tracing;

/// <summary>How a message gets to the collector, and what becomes of it when the collector does not want it.</summary>
public sealed class OtlpExportTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task Over_TLS_with_an_authority_and_a_certificate_of_its_own(bool isGrpc, bool isCompressed)
    {
        using var certificates = new TestCertificates("collectors");
        var (clientFile, clientKey) = certificates.Write("client", certificates.ForClient());
        var tls = new HttpsConnectionAdapterOptions
        {
            ServerCertificate = certificates.ForServer(),
            ClientCertificateMode = ClientCertificateMode.RequireCertificate,
            ClientCertificateValidation = static (certificate, _, _) => certificate.Subject == "CN=client",
        };
        await using var collector = await Collector.StartAsync(isGrpc, tls);
        var variables = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = isGrpc ? "grpc" : "http/protobuf",
            ["OTEL_EXPORTER_OTLP_CERTIFICATE"] = certificates.CaFile,
            ["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] = clientFile,
            ["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = clientKey,
            ["OTEL_EXPORTER_OTLP_COMPRESSION"] = isCompressed ? "gzip" : "none",
            ["OTEL_EXPORTER_OTLP_HEADERS"] = "x-tenant=a%20b",
            ["OTEL_RESOURCE_ATTRIBUTES"] = "service.name=other,region=eu%2C1",
            ["OTEL_SERVICE_NAME"] = "vision",
        };

        Assert.True(await SendAsync(variables));
        var span = Assert.Single(await collector.WaitForAsync(spans => spans.Count > 0));
        Assert.Equal(("told", "a b"), (span.Name, collector.Headers["x-tenant"]));
        Assert.Equal(("vision", "eu,1"), (collector.Resource["service.name"], collector.Resource["region"]));

        // Who does not know the authority does not trust it, and who has no certificate is not trusted.
        variables["OTEL_BSP_EXPORT_TIMEOUT"] = "1";
        Assert.False(await SendAsync(variables.Where(variable => variable.Key != "OTEL_EXPORTER_OTLP_CERTIFICATE").ToDictionary()));
        Assert.False(await SendAsync(variables.Where(variable => !variable.Key.Contains("CLIENT", StringComparison.Ordinal)).ToDictionary()));
    }

    [Theory]
    [InlineData(2, 60_000, true, 3)]
    [InlineData(1000, 0, false, 1)]
    public async Task A_collector_that_is_busy_is_asked_again_for_a_while(int refusals, int patienceMilliseconds, bool isTaken, int requests)
    {
        var asked = 0;
        await using var collector = await AnswerAsync(context => context.Response.StatusCode = Interlocked.Increment(ref asked) > refusals ? 200 : 503);
        var options = Options(collector) with { FirstPause = TimeSpan.FromMilliseconds(1), Patience = TimeSpan.FromMilliseconds(patienceMilliseconds) };
        using var export = new OtlpExport(options, TimeProvider.System, NullLogger.Instance);

        Assert.Equal((isTaken, requests), (await export.SendAsync(Spans(), TestContext.Current.CancellationToken), asked));
    }

    [Fact]
    public async Task What_a_collector_will_never_take_is_not_sent_again()
    {
        var asked = 0;
        await using var collector = await AnswerAsync(context =>
        {
            asked++;
            context.Response.StatusCode = 401;
        });
        using var export = new OtlpExport(Options(collector), TimeProvider.System, NullLogger.Instance);

        Assert.False(await export.SendAsync(Spans(), TestContext.Current.CancellationToken));
        Assert.Equal(1, asked);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "zstd is not available; give gzip or none")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1", "-1 is no whole number above 0")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "secret", "item 1 is not NAME=VALUE")]
    [InlineData("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.crt", "Could not find")]
    public async Task A_variable_that_cannot_be_used_is_named(string name, string value, string why)
    {
        var e = await Assert.ThrowsAsync<ConfigurationException>(() => SendAsync(new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1", [name] = value }));

        Assert.Contains(name, e.Message, StringComparison.Ordinal);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
    }

    private static async Task<bool> SendAsync(Dictionary<string, string> variables)
    {
        var options = TracingOptions.Of(new TracingConfiguration(), variables.GetValueOrDefault)!;
        using var export = new OtlpExport(options, TimeProvider.System, NullLogger.Instance);
        return await export.SendAsync(Spans(options.Resource), TestContext.Current.CancellationToken);
    }

    private static TracingOptions Options(WebApplication collector) => new()
    {
        Endpoint = new Uri(collector.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/v1/traces"),
        IsGrpc = false,
        Ratio = 1,
        FollowsParent = true,
    };

    private static OtlpSpans Spans(IReadOnlyList<KeyValuePair<string, string>>? resource = null)
    {
        var spans = new OtlpSpans(resource ?? [], "1", new WallClock(TimeProvider.System));
        spans.Begin(1, 2, 3, isServer: false, 0, 0);
        spans.Name("told");
        spans.End();
        spans.Complete();
        return spans;
    }

    private static async Task<WebApplication> AnswerAsync(Action<HttpContext> answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
        var app = builder.Build();
        app.Run(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            answer(context);
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }
}
