using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>A server with handlers that make text: <c>tokens</c> (any number of responses), <c>capitals</c> (exactly one).</summary>
public sealed class GenerateServer : IAsyncLifetime
{
    private ServerFixture? _server;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    public async ValueTask InitializeAsync()
    {
        _server = await HandlerServer.StartAsync(null);
        await Task.WhenAll(_server.ServeAsync("tokens", "GenerateHandler"), _server.ServeAsync("capitals", "CapitalsHandler", "batchSize: 4"), _server.ServeAsync("repeat", "RepeatInt32Handler", "batchSize: 8"), _server.ServeAsync("echo", "EchoHandler"), _server.ServeAsync("endless", "EndlessHandler"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}

/// <summary>The generate extension: flat JSON in, one response or a stream of events out.</summary>
public sealed class GenerateTests : IClassFixture<GenerateServer>
{
    private readonly ServerFixture _server;

    public GenerateTests(GenerateServer fixture, ITestOutputHelper output)
    {
        _server = fixture.Server;
        _server.ShowLogs(output);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_model_that_answers_once_answers_with_values_by_name()
    {
        var answer = await PostAsync("/v2/models/capitals/generate", """{"id":"7","text_input":"hello","parameters":{"temperature":0.5}}""");
        var version = await PostAsync("/v2/models/capitals/versions/1.0/generate?x=1", """{"text_input":["hello"]}""");
        var stream = await PostAsync("/v2/models/capitals/generate_stream", """{"text_input":"a\nb"}""");

        Assert.Equal((HttpStatusCode.OK, """{"model_name":"capitals","model_version":"1.0","id":"7","text_output":"HELLO"}"""), (answer.Status, answer.Text));
        Assert.Equal("application/json", answer.Headers["Content-Type"]);
        Assert.Equal("""{"model_name":"capitals","model_version":"1.0","text_output":"HELLO"}""", version.Text);
        Assert.Equal("data: {\"model_name\":\"capitals\",\"model_version\":\"1.0\",\"text_output\":\"A\\nB\"}\n\n", stream.Text);
        Assert.Equal("text/event-stream; charset=utf-8", stream.Headers["Content-Type"]);
    }

    // A parameter like any other: the answer is JSON.
    [Theory]
    [InlineData("true")]
    [InlineData("5")]
    public async Task Binary_outputs_are_not_asked_for_here(string value)
    {
        foreach (var (route, expected) in ((string, string)[])[("generate", """{"model_name":"capitals","model_version":"1.0","text_output":"A"}"""), ("generate_stream", "data: {\"model_name\":\"capitals\",\"model_version\":\"1.0\",\"text_output\":\"A\"}\n\n")])
        {
            var answer = await PostAsync($"/v2/models/capitals/{route}", $$$"""{"text_input":"a","parameters":{"binary_data_output":{{{value}}}}}""");

            Assert.Equal((HttpStatusCode.OK, expected), (answer.Status, answer.Text));
        }
    }

    [Fact]
    public async Task Priority_may_be_a_header()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v2/models/capitals/generate") { Content = new StringContent("""{"text_input":"a"}"""), Headers = { { "x-serve-priority", "9" } } };
        var answer = await _server.SendAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains("The priority is 9", answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_with_many_responses_streams_them_and_its_parameters_arrive()
    {
        var one = await PostAsync("/v2/models/tokens/generate", """{"text_input":"word","max_tokens":1}""");
        var three = await PostAsync("/v2/models/tokens/generate_stream", """{"text_input":"word","parameters":{"max_tokens":3}}""");
        var none = await PostAsync("/v2/models/tokens/generate_stream", """{"text_input":"word","max_tokens":0}""");

        Assert.Equal("""{"model_name":"tokens","model_version":"1.0","text_output":"word 0"}""", one.Text);
        Assert.Equal(Enumerable.Range(0, 3).Select(i => $$"""data: {"model_name":"tokens","model_version":"1.0","text_output":"word {{i}}"}"""), three.Text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal((HttpStatusCode.OK, ""), (none.Status, none.Text));
    }

    [Theory]
    [InlineData("""{"text_input":"word","max_tokens":2}""")]
    [InlineData("""{"text_input":"word","max_tokens":0}""")]
    public async Task Generate_wants_exactly_one_response(string body)
    {
        var answer = await PostAsync("/v2/models/tokens/generate", body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.StartsWith("generate expects model to produce exactly 1 response", answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lists_become_tensors_and_events_come_one_by_one()
    {
        var answer = await PostAsync("/v2/models/repeat/generate_stream", """{"IN":[4,5],"DELAY":[0,0],"WAIT":0}""");

        Assert.Equal(
            ["""data: {"model_name":"repeat","model_version":"1.0","OUT":4,"IDX":0}""", """data: {"model_name":"repeat","model_version":"1.0","OUT":5,"IDX":1}"""],
            answer.Text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task The_first_event_comes_while_the_rest_is_made_and_a_client_that_leaves_ends_it()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _server.Inference + "/v2/models/repeat/generate_stream") { Content = new StringContent("""{"IN":[1,2],"DELAY":[0,60000],"WAIT":0}""") };
        using (var response = await _server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation))
        {
            var stream = await response.Content.ReadAsStreamAsync(Cancellation);
            var first = new byte[10];
            await stream.ReadExactlyAsync(first, Cancellation);
            Assert.Equal("data: {\"mo"u8.ToArray(), first);
        }

        await Eventually.BecomesAsync("nothing is under way", () => _server.MetricAsync("""serve_requests_in_flight{model="repeat",version="1.0"}"""), count => count == 0);
        await Eventually.BecomesAsync("its worker is free", async () => (await _server.DescribeAsync("repeat")).Workers.Single().OutstandingRows, rows => rows == 0);
    }

    [Theory]
    [InlineData("capitals", """{"text":"x"}""", HttpStatusCode.BadRequest, "expected 1 inputs but got 0 inputs")]
    [InlineData("capitals", """{"text_input":5}""", HttpStatusCode.BadRequest, "is not a text")]
    [InlineData("capitals", """{"text_input":"a","text_input":"b"}""", HttpStatusCode.BadRequest, "stands twice")]
    [InlineData("capitals", """{"text_input":"a","x":null}""", HttpStatusCode.BadRequest, "must not be null")]
    [InlineData("capitals", """{"text_input":"\ud800"}""", HttpStatusCode.BadRequest, "failed to parse the request JSON buffer: the text at byte 14 has half a surrogate pair")]
    [InlineData("capitals", """{"text_input":"a","id":"\ud800"}""", HttpStatusCode.BadRequest, "failed to parse the request JSON buffer: the text at byte 23")]
    [InlineData("capitals", """{"text_input":"a","colour":"\uDC00"}""", HttpStatusCode.BadRequest, "failed to parse the request JSON buffer: the text at byte 27")]
    [InlineData("capitals", """{"text_input":"a","\ud800":1}""", HttpStatusCode.BadRequest, "failed to parse the request JSON buffer: the text at byte 18")]
    [InlineData("capitals", """{"text_input":"a","parameters":{"\ud800":1}}""", HttpStatusCode.BadRequest, "failed to parse the request JSON buffer: the text at byte 32")]
    [InlineData("capitals", "[]", HttpStatusCode.BadRequest, "must be an object")]
    [InlineData("tokens", """{"text_input":"a","max_tokens":"many"}""", HttpStatusCode.BadRequest, "max_tokens is many")]
    [InlineData("echo", """{"text_input":"a"}""", HttpStatusCode.BadRequest, "has no tensors")]
    [InlineData("none", """{"text_input":"a"}""", HttpStatusCode.NotFound, "Request for unknown model")]
    public async Task What_goes_wrong_before_the_first_response_has_a_status(string model, string body, HttpStatusCode status, string message)
    {
        foreach (var route in (string[])["generate", "generate_stream"])
        {
            var answer = await PostAsync($"/v2/models/{model}/{route}", body);

            Assert.True(answer.Status == status, $"{route}: {answer.Status} {answer.Text}");
            Assert.Contains(message, answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_answer_without_end_is_given_up_when_it_is_larger_than_a_request_may_be()
    {
        foreach (var route in (string[])["generate", "generate_stream"])
        {
            var answer = await PostAsync($"/v2/models/endless/{route}", """{"text_input":"a"}""");

            Assert.True((int)answer.Status == 507, $"{route}: {answer.Status} {answer.Text}");
            Assert.Contains("maxRequestSize", answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        }
    }

    // Each request has one response there, whole: of the first part alone, half an answer would look like one.
    [Fact]
    public async Task A_stream_joins_the_parts_of_an_answer_that_is_one()
    {
        using var channel = GrpcChannel.ForAddress(_server.GrpcInference);
        using var call = new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelStreamInfer(cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(InferServer.Request("endless", [WireTensor.OfTexts("text_input", [1], "a")]), Cancellation);
        await call.RequestStream.CompleteAsync();
        var response = Assert.Single(await call.ResponseStream.ReadAllAsync(Cancellation).ToListAsync(Cancellation));

        Assert.Contains("maxRequestSize", response.ErrorMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_not_UTF_8_is_refused()
    {
        var answer = await _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v2/models/capitals/generate") { Content = new ByteArrayContent([.. "{\"text_input\":\"a\",\"id\":\""u8, 0xFF, .. "\"}"u8]) });

        Assert.Equal((HttpStatusCode.BadRequest, "failed to parse the request JSON buffer: it is not valid UTF-8"), (answer.Status, answer.Json.GetProperty("error").GetString()));
    }

    private Task<Answer> PostAsync(string path, string json) => _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json) });
}
