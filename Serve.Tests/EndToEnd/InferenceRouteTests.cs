using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>Every way to a model, and what of the request the handler gets by it.</summary>
public sealed class InferenceRouteTests : IClassFixture<RouteServer>
{
    private readonly ServerFixture _server;

    public InferenceRouteTests(RouteServer models, ITestOutputHelper output)
    {
        _server = models.Server;
        _server.ShowLogs(output);
    }

    [Theory]
    [InlineData("/predictions/headers?a=1", "body=hello")]
    [InlineData("/predictions/headers/2.0?a=1", "body=hello")]
    [InlineData("/predictions/headers/2.0/more/of/it?a=1", "body=hello")]
    [InlineData("/invocations?model_name=headers&a=1&b=2", "body=hello a=1 b=2")]
    [InlineData("/models/headers/invoke?a=1&a=2", "body=hello a=1 a=2")]
    [InlineData("/headers/predict?a=%C3%A4", "body=hello a=ä")]
    [InlineData("/headers/2.0/predict?a=1", "body=hello a=1")]
    public async Task Query_parameters_are_inputs_on_the_routes_that_take_them(string path, string parts)
    {
        var answer = await SendAsync("POST", path, "hello", "text/plain");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal(parts, PartsOf(answer.Json));
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("PATCH")]
    [InlineData("PROPFIND")]
    public async Task Any_verb_predicts(string verb)
    {
        foreach (var path in (string[])["/predictions/headers", "/predictions/headers/1.0", "/models/headers/invoke", "/headers/predict", "/invocations?model_name=headers"])
        {
            var answer = await SendAsync(verb, path, "x", "text/plain");
            Assert.True(answer.Status == HttpStatusCode.OK, $"{verb} {path}: {answer.Text}");
        }
    }

    [Fact]
    public async Task Without_a_body_the_query_is_all_there_is()
    {
        Assert.Equal("a=1", PartsOf((await SendAsync("GET", "/headers/predict?a=1")).Json));
        Assert.Equal("body=", PartsOf((await SendAsync("GET", "/headers/predict")).Json));
    }

    [Theory]
    [InlineData("POST", "/predictions/headers", "--x--", "multipart/form-data; boundary=x")]
    [InlineData("POST", "/predictions/headers", "&&", "application/x-www-form-urlencoded")]
    [InlineData("GET", "/invocations?model_name=headers", null, null)]
    [InlineData("GET", "/models/headers/invoke?model_name=headers", null, null)]
    public async Task A_request_without_any_input_has_an_empty_body_and_harms_no_worker(string verb, string path, string? body, string? type)
    {
        var workers = await _server.WorkerPidsAsync("headers");
        var answer = await SendAsync(verb, path, body, type);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal("body=", PartsOf(answer.Json));
        Assert.Equal(workers, await _server.WorkerPidsAsync("headers"));
    }

    [Fact]
    public async Task A_request_that_fails_in_a_worker_is_in_the_log_by_the_id_that_its_client_knows()
    {
        Assert.Equal("rest-17", (await SendAsync("POST", "/predictions/failing", "broken", "text/plain", ("x-request-id", "rest-17"))).Headers["x-request-id"]);
        await LoggedAsync("rest-17");
        var made = (await SendAsync("POST", "/predictions/failing", "broken", "text/plain")).Headers["x-request-id"];
        await LoggedAsync(made);

        using var channel = GrpcChannel.ForAddress(_server.GrpcInference);
        using var call = new InferenceAPIsService.InferenceAPIsServiceClient(channel).PredictionsAsync(new PredictionsRequest { ModelName = "failing", Input = { ["data"] = ByteString.CopyFromUtf8("broken") } }, new Metadata { { "x-request-id", "grpc-17" } });
        Assert.Equal(StatusCode.Internal, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);
        Assert.Equal("grpc-17", (await call.ResponseHeadersAsync).GetValue("x-request-id"));
        await LoggedAsync("grpc-17");

        Task LoggedAsync(string id) => _server.WaitForLogAsync(line => line.Contains("failing/1.0: worker ", StringComparison.Ordinal) && line.Contains($": request {id} failed: ", StringComparison.Ordinal) && line.Contains("InvalidOperationException: Something broke.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_follows_the_version_is_the_handlers_url_path()
    {
        var answer = await SendAsync("POST", "/predictions/headers/2.0/more/of%20it/", "x", "text/plain");
        Assert.Equal("more/of it/", answer.Json.GetProperty("headers").GetProperty("url_path").GetString());
    }

    [Theory]
    [InlineData("/models/none/invoke", 404, "Model not found: none")]
    [InlineData("/none/predict", 404, "Model not found: none")]
    [InlineData("/headers/9.9/predict", 404, "Model version: 9.9 does not exist for model: headers")]
    [InlineData("/invocations", 400, "Parameter model_name is required.")]
    [InlineData("/v1/models/none:predict", 404, "Model not found: none")]
    [InlineData("/headers/forecast", 404, "Requested resource is not found, please refer to API document.")]
    public async Task What_is_not_there_is_said(string path, int status, string message)
    {
        var answer = await SendAsync("POST", path, "{}", "application/json");
        Assert.Equal((status, message), ((int)answer.Status, answer.Error.Message));
    }

    [Fact]
    public async Task Instances_are_predicted_each_by_itself()
    {
        var answer = await SendAsync("POST", "/v1/models/headers:predict", """{"signature_name": "x", "instances": [1, {"data": "aGk="}]}""", "application/json");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal("application/json", answer.Headers["Content-Type"]);
        var predictions = answer.Json.GetProperty("predictions").EnumerateArray().ToList();
        Assert.Equal(["body=1", """body={"data": "aGk="}"""], predictions.Select(PartsOf));
        Assert.Equal("application/json", predictions[0].GetProperty("parts")[0].GetProperty("contentType").GetString());
    }

    [Fact]
    public async Task Predictions_come_in_the_order_of_their_instances()
    {
        var numbers = string.Join(',', Enumerable.Range(0, 200));
        var answer = await SendAsync("POST", "/v1/models/echo:predict", $$"""{"instances": [{{numbers}}]}""", "application/json");
        Assert.Equal(numbers, string.Join(',', answer.Json.GetProperty("predictions").EnumerateArray().Select(number => number.GetInt32())));
    }

    [Fact]
    public async Task A_deadline_is_the_whole_calls_also_where_its_instances_wait_for_one_another()
    {
        await _server.ServeAsync("sleeping", "SleeperHandler", "handlerOptions:\n  batchMilliseconds: 10");
        var numbers = string.Join(',', Enumerable.Range(0, 100));
        var answer = await SendAsync("POST", "/v1/models/sleeping:predict", $$"""{"instances": [{{numbers}}]}""", "application/json", ("x-serve-timeout-ms", "300"));

        // Late, or refused because it is known by now what a batch takes, and it would be.
        Assert.Contains(answer.Status, new[] { HttpStatusCode.GatewayTimeout, HttpStatusCode.ServiceUnavailable });
    }

    [Theory]
    [InlineData("""{"instances": ["fine", "bad", "fine"]}""", 200)] // as JSON the text has quotes: none of the handler's words
    [InlineData("""{"instances": 7}""", 400)]
    [InlineData("""{"instances": []}""", 400)]
    [InlineData("""{"inputs": [1]}""", 400)]
    [InlineData("[1, 2]", 400)]
    [InlineData("{\"instances\": [1", 400)]
    [InlineData("""{"\ud800": 1, "instances": [1]}""", 400)]
    [InlineData("""{"instances": ["\ud800"]}""", 400)]
    [InlineData("", 400)]
    public async Task Instances_must_be_a_list(string body, int status)
    {
        var answer = await SendAsync("POST", "/v1/models/failing:predict", body, "application/json");
        Assert.Equal(status, (int)answer.Status);
        if (status == 400) Assert.Equal("BadRequestException", answer.Error.Type);
    }

    [Fact]
    public async Task KServe_sees_which_models_take_requests()
    {
        HandlerModels.Write(_server.ModelStore, "idle", "EchoHandler");
        Assert.Equal(HttpStatusCode.OK, (await _server.RegisterAsync("idle/1.0", workers: 0)).Status);
        foreach (var listener in (string[])[_server.Inference, _server.Management])
        {
            Assert.Equal("{\n  \"name\": \"echo\",\n  \"ready\": true\n}\n", (await GetAsync(listener + "/v1/models/echo")).Text);
            Assert.Equal("{\n  \"name\": \"idle\",\n  \"ready\": false\n}\n", (await GetAsync(listener + "/v1/models/idle")).Text);
            Assert.Equal("Model not found: none", (await GetAsync(listener + "/v1/models/none")).Error.Message);
            Assert.Contains("echo", (await GetAsync(listener + "/v1/models")).Json.GetProperty("models").EnumerateArray().Select(name => name.GetString()));
        }

        await _server.ManageAsync(HttpMethod.Delete, "/models/idle");
    }

    [Fact]
    public async Task A_model_describes_its_routes()
    {
        var inference = await SendAsync("OPTIONS", "/predictions/headers");
        Assert.Equal((HttpStatusCode.OK, "3.0.1", "RESTful API for: headers"), (inference.Status, inference.Json.GetProperty("openapi").GetString(), inference.Json.GetProperty("info").GetProperty("title").GetString()));
        Assert.Equal(["/predictions/headers", "/predictions/headers/{version}", "/predictions/headers/{version}/{path}"], PathsOf(inference));
        Assert.Contains("its default version is 1.0", inference.Text, StringComparison.Ordinal);

        var management = await _server.ManageAsync(HttpMethod.Options, "/models/headers");
        Assert.Equal("RESTful Management API for: headers", management.Json.GetProperty("info").GetProperty("title").GetString());
        Assert.Equal(["/models/headers", "/models/headers/{version}", "/models/headers/{version}/set-default", "/models/headers/{version}/workers/log"], PathsOf(management));

        Assert.Equal("Model not found: none", (await SendAsync("OPTIONS", "/predictions/none")).Error.Message);
        Assert.Equal("Model not found: none", (await _server.ManageAsync(HttpMethod.Options, "/models/none")).Error.Message);

        static IEnumerable<string> PathsOf(Answer answer) => answer.Json.GetProperty("paths").EnumerateObject().Select(path => path.Name);
    }

    [Theory]
    [InlineData(RouteServer.Origin, true)]
    [InlineData("https://other.example.com", true)]
    [InlineData("https://evil.example.com", false)]
    public async Task Pages_of_allowed_origins_may_call(string origin, bool isAllowed)
    {
        var answer = await SendAsync("POST", "/predictions/echo", "hi", "text/plain", ("Origin", origin));
        Assert.Equal((HttpStatusCode.OK, "hi"), (answer.Status, answer.Text));
        Assert.Equal(isAllowed ? origin : null, answer.Headers.GetValueOrDefault("Access-Control-Allow-Origin"));
        Assert.Equal("Origin", answer.Headers["Vary"]);
        var failed = await SendAsync("GET", "/nowhere", null, null, ("Origin", origin));
        Assert.Equal(isAllowed, failed.Headers.ContainsKey("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_browser_may_ask_before_a_page_calls()
    {
        var asked = await SendAsync("OPTIONS", "/predictions/echo", null, null, ("Origin", RouteServer.Origin), ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-mine"));
        Assert.Equal((HttpStatusCode.NoContent, 0), (asked.Status, asked.Body.Length));
        Assert.Equal("GET, POST, PUT, OPTIONS", asked.Headers["Access-Control-Allow-Methods"]);
        Assert.Equal("content-type, x-mine", asked.Headers["Access-Control-Allow-Headers"]);

        // Nothing on the other listeners: a page must not manage models.
        using var managing = new HttpRequestMessage(HttpMethod.Get, _server.Management + "/models") { Headers = { { "Origin", RouteServer.Origin } } };
        Assert.DoesNotContain("Access-Control-Allow-Origin", (await _server.SendAsync(managing)).Headers);
    }

    private static string PartsOf(JsonElement request) =>
        string.Join(' ', request.GetProperty("parts").EnumerateArray().Select(part => $"{part.GetProperty("name").GetString()}={Encoding.UTF8.GetString(part.GetProperty("data").GetBytesFromBase64())}"));

    private Task<Answer> GetAsync(string url) => _server.SendAsync(new HttpRequestMessage(HttpMethod.Get, url));

    private Task<Answer> SendAsync(string verb, string path, string? body = null, string? type = null, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(new HttpMethod(verb), _server.Inference + path);
        if (body is not null) request.Content = new StringContent(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(type!) } };
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return _server.SendAsync(request);
    }
}
