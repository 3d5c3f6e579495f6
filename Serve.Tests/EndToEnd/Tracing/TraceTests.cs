using System.Net;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.Grpc;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd.Tracing;

/// <summary>What a collector gets of the requests of a real server.</summary>
public sealed class TraceTests : IClassFixture<TracedServer>
{
    private readonly ServerFixture _server;
    private readonly Collector _collector;

    public TraceTests(TracedServer traced, ITestOutputHelper output)
    {
        (_server, _collector) = (traced.Server, traced.Collector);
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task A_requests_spans_are_a_tree_below_the_clients_span_with_every_stage_of_the_worker()
    {
        var client = ClientSpan.New();
        var answer = await _server.PredictAsync("fashion-vit", FashionData.Picture(0), null, client.Header(), ("tracestate", "vendor=1"), ("x-request-id", "tree-1"));
        Assert.Equal(HttpStatusCode.OK, answer.Status);

        var spans = await _collector.WaitForAsync(spans => spans.Any(span => span.Trace == client.Trace && span.IsServer) && spans.Any(span => span.Links.Any(link => link.Trace == client.Trace)));
        var server = Assert.Single(spans, span => span.Trace == client.Trace && span.IsServer);
        Assert.Equal((client.Id, "POST /predictions/{model}", "vendor=1", false), (server.Parent, server.Name, server.TraceState, server.IsError));
        foreach (var (name, value) in (ReadOnlySpan<(string, string)>)
        [
            ("http.request.method", "POST"), ("http.route", "/predictions/{model}"), ("url.path", "/predictions/fashion-vit"), ("url.scheme", "http"), ("http.response.status_code", "200"),
            ("server.address", "127.0.0.1"), ("client.address", "127.0.0.1"), ("network.protocol.version", "1.1"),
            ("serve.model.name", "fashion-vit"), ("serve.model.version", "1.0"), ("serve.request.id", "tree-1"),
        ])
        {
            Assert.Equal(value, server.Attributes.GetValueOrDefault(name));
        }

        var below = spans.Where(span => span.Trace == client.Trace && !span.IsServer).ToList();
        Assert.All(below, span => Assert.Equal(server.Id, span.Parent));
        Assert.All(below, span => Assert.True(server.Start <= span.Start && span.Start <= span.End && span.End <= server.End + 1000, span.ToString()));
        var stages = below.Where(span => span.Name is "queue" or "decode" or "execute").OrderBy(span => span.Start).ToList();
        Assert.Equal(["queue", "decode", "execute"], stages.Select(span => span.Name));
        Assert.True(stages[1].End <= stages[2].Start);

        // The batch is in no request's trace; both know each other.
        var batch = Assert.Single(spans, span => span.Links.Contains((client.Trace, server.Id)));
        Assert.Equal(("batch fashion-vit", "", "1", "fashion-vit"), (batch.Name, batch.Parent, batch.Attributes["serve.batch.rows"], batch.Attributes["serve.model.name"]));
        Assert.Equal([(batch.Trace, batch.Id)], stages[2].Links);
        Assert.Equal((stages[2].Start, stages[2].End), (batch.Start, batch.End));
    }

    [Fact]
    public async Task The_span_of_a_batch_links_to_all_its_requests_that_are_traced_and_to_no_other()
    {
        await _server.ServeAsync("together", "EchoHandler", "batchSize: 4\nbatching: delayed\nmaxBatchDelay: 1h");
        var clients = Enumerable.Range(0, 4).Select(_ => ClientSpan.New()).ToList();

        await Task.WhenAll(clients.Select((client, i) => _server.PredictAsync("together", "x"u8.ToArray(), null, client.Header(isSampled: i != 2))));

        var traced = clients.Where((_, i) => i != 2).Select(client => client.Trace).ToArray();
        var spans = await _collector.WaitForAsync(spans => spans.Any(span => span.Name == "batch together"));
        var batch = Assert.Single(spans, span => span.Name == "batch together");
        Assert.Equal(("4", "4"), (batch.Attributes["serve.batch.rows"], batch.Attributes["serve.batch.requests"]));
        Assert.Equal(spans.Where(span => span.IsServer && traced.Contains(span.Trace)).Select(span => (span.Trace, span.Id)).Order(), batch.Links.Order());
        Assert.Equal(3, batch.Links.Count);
        Assert.DoesNotContain(spans, span => span.Trace == clients[2].Trace);
    }

    [Fact]
    public async Task A_handler_gets_the_servers_span_as_the_parent_of_its_own_and_what_is_not_sampled_goes_through_as_it_came()
    {
        await _server.ServeAsync("told", "HeaderEchoHandler");
        var (sampled, unsampled) = (ClientSpan.New(), ClientSpan.New());

        var without = (await _server.PredictAsync("told", "x"u8.ToArray(), null, unsampled.Header(isSampled: false))).Json.GetProperty("headers");
        Assert.Equal(unsampled.Header(isSampled: false).Item2, without.GetProperty("traceparent").GetString());
        Assert.False((await _server.PredictAsync("told", "x"u8.ToArray())).Json.GetProperty("headers").TryGetProperty("traceparent", out _));

        var with = (await _server.PredictAsync("told", "x"u8.ToArray(), null, sampled.Header(), ("tracestate", "a=b"))).Json.GetProperty("headers");
        var spans = await _collector.WaitForTraceAsync(sampled.Trace);
        var server = Assert.Single(spans, span => span.Trace == sampled.Trace && span.IsServer);
        Assert.Equal(($"00-{sampled.Trace}-{server.Id}-01", "a=b"), (with.GetProperty("traceparent").GetString(), with.GetProperty("tracestate").GetString()));
        Assert.DoesNotContain(spans, span => span.Trace == unsampled.Trace);
    }

    [Fact]
    public async Task Calls_over_gRPC_are_traced_and_each_request_of_a_stream_has_a_span_of_its_own()
    {
        await _server.ServeAsync("called", "HeaderEchoHandler");
        var (single, stream, refused) = (ClientSpan.New(), ClientSpan.New(), ClientSpan.New());
        using var channel = GrpcChannel.ForAddress(_server.GrpcInference);
        var client = new InferenceAPIsService.InferenceAPIsServiceClient(channel);
        var request = new PredictionsRequest { ModelName = "called", Input = { ["data"] = ByteString.CopyFromUtf8("x") } };

        var answer = (await client.PredictionsAsync(request, Metadata(single))).Prediction.ToStringUtf8();
        using (var call = client.StreamPredictions2(Metadata(stream)))
        {
            for (var i = 0; i < 2; i++) await call.RequestStream.WriteAsync(request);
            await call.RequestStream.CompleteAsync();
            var answers = 0;
            await foreach (var _ in call.ResponseStream.ReadAllAsync()) answers++;
            Assert.Equal(2, answers);
        }

        using (var call = new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(new ModelInferRequest { ModelName = "nobody" }, Metadata(refused)))
        {
            Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync)).StatusCode);
        }

        var spans = await _collector.WaitForTraceAsync(single.Trace, stream.Trace, refused.Trace);
        var server = Assert.Single(spans, span => span.Trace == single.Trace && span.IsServer);
        Assert.Equal((single.Id, "org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions"), (server.Parent, server.Name));
        Assert.Equal(("grpc", "Predictions", "0", "called"), (server.Attributes["rpc.system"], server.Attributes["rpc.method"], server.Attributes["rpc.grpc.status_code"], server.Attributes["serve.model.name"]));
        Assert.Contains($"00-{single.Trace}-{server.Id}-01", answer, StringComparison.Ordinal);
        Assert.Contains(spans, span => span.Parent == server.Id && span.Name == "queue");

        var ofStream = spans.Single(span => span.Trace == stream.Trace && span.IsServer);
        var parts = spans.Where(span => span.Parent == ofStream.Id).ToList();
        Assert.Equal(["infer", "infer"], parts.Select(span => span.Name));
        Assert.All(parts, part => Assert.Contains(spans, span => span.Parent == part.Id && span.Name == "queue"));

        var unknown = spans.Single(span => span.Trace == refused.Trace && span.IsServer);
        Assert.Equal(("5", false), (unknown.Attributes["rpc.grpc.status_code"], unknown.IsError));

        static Metadata Metadata(ClientSpan span) => new() { { span.Header().Item1, span.Header().Item2 } };
    }

    [Fact]
    public async Task Failures_and_answers_of_the_cache_are_to_be_seen()
    {
        await _server.ServeAsync("breaking", "FailingHandler");
        await _server.ServeAsync("kept", "EchoHandler", "responseCache:\n  enabled: true");
        var (broken, missed, hit, lost) = (ClientSpan.New(), ClientSpan.New(), ClientSpan.New(), ClientSpan.New());

        await _server.PredictAsync("breaking", "broken"u8.ToArray(), null, broken.Header());
        await _server.PredictAsync("kept", "same"u8.ToArray(), null, missed.Header());
        await _server.PredictAsync("kept", "same"u8.ToArray(), null, hit.Header());
        await _server.PredictAsync("nobody", "x"u8.ToArray(), null, lost.Header());

        var spans = await _collector.WaitForTraceAsync(broken.Trace, missed.Trace, hit.Trace, lost.Trace);
        var failed = Server(broken);
        Assert.Equal((true, "500", "500", "breaking"), (failed.IsError, failed.Attributes["http.response.status_code"], failed.Attributes["error.type"], failed.Attributes["serve.model.name"]));
        Assert.Equal(("404", false), (Server(lost).Attributes["http.response.status_code"], Server(lost).IsError));
        Assert.Equal(("miss", "hit"), (Server(missed).Attributes["serve.cache.outcome"], Server(hit).Attributes["serve.cache.outcome"]));
        Assert.Equal(["cache"], spans.Where(span => span.Parent == Server(hit).Id && span.Name is not ("read" or "write")).Select(span => span.Name));
        Assert.Contains(spans, span => span.Parent == Server(missed).Id && span.Name == "queue");

        // The line that the worker's failure has is found by its trace.
        await _server.WaitForLogAsync(line => line.Contains("Something broke", StringComparison.Ordinal) && line.Contains($"trace {broken.Trace}", StringComparison.Ordinal));

        SpanView Server(ClientSpan client) => spans.Single(span => span.Trace == client.Trace && span.IsServer);
    }

    [Fact]
    public async Task Instances_of_KServes_protocol_have_spans_of_their_own()
    {
        await _server.ServeAsync("instances", "EchoHandler", "batchSize: 4");
        var client = ClientSpan.New();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/models/instances:predict") { Content = new StringContent("""{"instances": [1, 2, 3]}""", Encoding.UTF8, "application/json") };
        request.RequestUri = new Uri(_server.Inference + "/v1/models/instances:predict");
        request.Headers.TryAddWithoutValidation(client.Header().Item1, client.Header().Item2);
        Assert.Equal(HttpStatusCode.OK, (await _server.SendAsync(request)).Status);

        var spans = await _collector.WaitForTraceAsync(client.Trace);
        var server = spans.Single(span => span.Trace == client.Trace && span.IsServer);
        Assert.Equal("POST /v1/models/{model}:predict", server.Name);
        Assert.Equal(["infer", "infer", "infer"], spans.Where(span => span.Parent == server.Id).Select(span => span.Name));
    }

    [Fact]
    public async Task The_trace_settings_of_the_Open_Inference_Protocol_decide_what_is_traced()
    {
        await _server.ServeAsync("set", "HeaderEchoHandler");
        Assert.Equal("""{"trace_level":["TIMESTAMPS"],"trace_rate":"0","trace_count":"-1","log_frequency":"0","trace_file":"","trace_mode":"opentelemetry"}""", (await SetAsync("{}")).Text);
        try
        {
            await SetAsync("""{"trace_level":["OFF"]}""");
            Assert.False(await IsTracedAsync(ClientSpan.New().Header()));

            await SetAsync("""{"trace_level":["TIMESTAMPS"],"trace_count":"1"}""");
            Assert.True(await IsTracedAsync(ClientSpan.New().Header()));
            Assert.False(await IsTracedAsync(ClientSpan.New().Header()));
            Assert.Contains("\"trace_count\":\"0\"", (await SetAsync("{}")).Text, StringComparison.Ordinal);

            await SetAsync("""{"trace_rate":"1","trace_count":null}""");
            Assert.True(await IsTracedAsync(("x-nothing", "y")));
            Assert.Equal(HttpStatusCode.NotImplemented, (await SetAsync("""{"trace_rate":"1"}""", "/models/set")).Status);
        }
        finally
        {
            await SetAsync("""{"trace_level":null,"trace_rate":null,"trace_count":null}""");
        }

        Assert.False(await IsTracedAsync(("x-nothing", "y")));

        // The server has made a span of its own, or has left the header as it was.
        async Task<bool> IsTracedAsync((string Name, string Value) header)
        {
            var headers = (await _server.PredictAsync("set", "x"u8.ToArray(), null, header)).Json.GetProperty("headers");
            return headers.TryGetProperty("traceparent", out var told) && told.GetString() != header.Value;
        }

        Task<Answer> SetAsync(string json, string model = "") =>
            _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, new Uri($"{_server.Inference}/v2{model}/trace/setting")) { Content = new StringContent(json, Encoding.UTF8, "application/json") });
    }

    [Fact]
    public async Task Buckets_of_latency_lead_to_the_traces_in_them_where_a_scrape_asks_for_OpenMetrics()
    {
        await _server.ServeAsync("exemplary", "EchoHandler");
        var (sampled, unsampled) = (ClientSpan.New(), ClientSpan.New());
        await _server.PredictAsync("exemplary", "x"u8.ToArray(), null, sampled.Header());
        await _server.PredictAsync("exemplary", "x"u8.ToArray(), null, unsampled.Header(isSampled: false));

        using var request = new HttpRequestMessage(HttpMethod.Get, _server.Metrics + "/metrics");
        request.Headers.TryAddWithoutValidation("accept", "application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1");
        var answer = await _server.SendAsync(request);
        Assert.Equal("application/openmetrics-text; version=1.0.0; charset=utf-8", answer.Headers["Content-Type"]);
        var document = OpenMetricsDocument.Parse(answer.Text);

        var exemplars = document.Exemplars.Where(exemplar => exemplar.Labels.Contains(sampled.Trace, StringComparison.Ordinal)).Select(exemplar => exemplar.Series.Split('{')[0]).Distinct();
        Assert.Equal(["serve_request_duration_seconds_bucket", "serve_stage_duration_seconds_bucket"], exemplars.Order());
        Assert.DoesNotContain(unsampled.Trace, answer.Text, StringComparison.Ordinal);
        Assert.Contains(document.Samples, sample => sample.StartsWith("serve_requests_total{", StringComparison.Ordinal));
        Assert.Contains(document.Samples, sample => sample.StartsWith("Requests2XX{", StringComparison.Ordinal));
        Assert.Contains(document.Samples, sample => sample.StartsWith("ts_inference_requests_total{", StringComparison.Ordinal));

        // Everybody else gets what there always was, and the same series.
        var plain = await _server.ScrapeAsync();
        Assert.DoesNotContain("# EOF", plain, StringComparison.Ordinal);
        Assert.DoesNotContain(sampled.Trace, plain, StringComparison.Ordinal);
        Assert.Equal(NamesOf(plain.Split('\n').Where(line => line.Length > 0 && line[0] != '#')), NamesOf(document.Samples));

        static IEnumerable<string> NamesOf(IEnumerable<string> samples) => samples.Select(sample => sample.Split('{', ' ')[0]).Distinct().Order(StringComparer.Ordinal);
    }
}
