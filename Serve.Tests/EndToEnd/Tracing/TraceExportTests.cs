using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Serve.Tests.EndToEnd.Tracing;

/// <summary>How traces leave: by which protocol, with what beside them, and when nobody takes them.</summary>
public sealed class TraceExportTests(ITestOutputHelper output)
{
    private const string Key = "Bearer export-secret-0815";

    [Fact]
    public async Task Over_HTTP_with_OpenTelemetrys_own_variables_and_a_key_that_is_logged_nowhere()
    {
        await using var collector = await Collector.StartAsync(isGrpc: false);
        var environment = new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Url,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_TRACES_SAMPLER"] = "parentbased_always_on",
            ["OTEL_SERVICE_NAME"] = "vision",
            ["EXPORT_KEY"] = Key,
        };
        await using (var server = await TracedServer.StartAsync(output, environment, [], "--load-models", "none", "--tracing-headers", "authorization=env:EXPORT_KEY,x-tenant=a b", "--access-log", "true", "--logging-format", "json", "--log-level", "trace"))
        {
            await server.ServeAsync("told", "EchoHandler");
            for (var i = 0; i < 2; i++) Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("told", "x"u8.ToArray())).Status);
            if (OperatingSystem.IsLinux()) Assert.DoesNotContain("EXPORT_KEY", await WorkerEnvironmentAsync(server, "told"), StringComparison.Ordinal);

            var spans = await collector.WaitForAsync(spans => spans.Count(span => span.IsServer) == 2);
            var roots = spans.Where(span => span.IsServer).ToList();
            Assert.All(roots, root => Assert.Equal(("", "POST /predictions/{model}"), (root.Parent, root.Name)));
            Assert.NotEqual(roots[0].Trace, roots[1].Trace);
            Assert.Equal((Key, "a b"), (collector.Headers["authorization"], collector.Headers["x-tenant"]));
            Assert.Equal("vision", collector.Resource["service.name"]);

            // The access log leads to the trace.
            await server.WaitForLogAsync(line => line.Contains("\"target\":\"/predictions/told\"", StringComparison.Ordinal) && line.Contains($"\"traceId\":\"{roots[0].Trace}\"", StringComparison.Ordinal));
            Assert.Equal(2, await server.MetricAsync("serve_traces_total"));
            Assert.Equal(0, await server.StopAsync());
            Assert.DoesNotContain(server.Log, line => line.Contains("export-secret", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_HEADERS")]
    [InlineData("SERVE_TRACING_HEADERS")]
    public async Task Code_of_models_does_not_see_a_key_that_stands_in_a_variable(string variable)
    {
        await using var collector = await Collector.StartAsync(isGrpc: true);
        var environment = new Dictionary<string, string> { [variable] = "authorization=export-secret-0815", ["OTEL_SERVICE_NAME"] = "vision" };
        await using var server = await TracedServer.StartAsync(output, environment, [], "--load-models", "none", "--tracing-endpoint", collector.Url);
        await server.ServeAsync("told", "EchoHandler");
        Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("told", "x"u8.ToArray())).Status);
        await collector.WaitForAsync(spans => spans.Any(span => span.IsServer));
        Assert.Equal("export-secret-0815", collector.Headers["authorization"]);
        if (!OperatingSystem.IsLinux()) return;

        var inherited = await WorkerEnvironmentAsync(server, "told");

        Assert.Contains("OTEL_SERVICE_NAME=vision", inherited, StringComparison.Ordinal);
        Assert.DoesNotContain("export-secret", inherited, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_collector_the_server_serves_on_says_so_once_and_stops_in_time()
    {
        // One that takes connections and never answers: what waits for it must not hold up the stop.
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        silent.Listen();
        var environment = new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "200" };
        await using var server = await TracedServer.StartAsync(output, environment, [], "--load-models", "none", "--tracing-endpoint", $"http://{silent.LocalEndPoint}");
        await server.ServeAsync("served", "EchoHandler");

        for (var i = 0; i < 20; i++) Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("served", "x"u8.ToArray())).Status);

        await server.WaitForLogAsync(line => line.Contains("traces may be lost on their way to http://127.0.0.1:", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, (await server.PredictAsync("served", "x"u8.ToArray())).Status);
        var asked = Stopwatch.GetTimestamp();
        Assert.Equal(0, await server.StopAsync());
        Assert.True(Stopwatch.GetElapsedTime(asked) < TimeSpan.FromSeconds(15), "the stop waits for the collector");
        Assert.Single(server.Log, line => line.Contains("traces may be lost", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--tracing-endpoint", "localhost:4317", "flag --tracing-endpoint: tracing.endpoint: must be the collector's URL")]
    [InlineData("--tracing-headers", "top-secret", "flag --tracing-headers: tracing.headers: item 1 is not NAME=env:VARIABLE")]
    [InlineData("--tracing-sampling-ratio", "2", "flag --tracing-sampling-ratio: tracing.samplingRatio: 2 is not allowed; give a number from 0 (none) to 1 (all)")]
    public async Task A_wrong_setting_is_named_and_never_shown_where_it_may_be_a_key(string flag, string value, string message)
    {
        var (code, text) = await Cli.RunAsync("start", flag, value);

        Assert.NotEqual(0, code);
        Assert.Contains(message, text, StringComparison.Ordinal);
        Assert.DoesNotContain("top-secret", text, StringComparison.Ordinal);
    }

    private static async Task<string> WorkerEnvironmentAsync(ServerFixture server, string model) =>
        await File.ReadAllTextAsync($"/proc/{(await server.WorkerPidsAsync(model)).Single()}/environ", TestContext.Current.CancellationToken);
}
