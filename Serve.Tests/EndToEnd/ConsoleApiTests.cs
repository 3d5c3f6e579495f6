using System.Net;

namespace Serve.Tests.EndToEnd;

/// <summary>What the management listener has for the web console, beside TorchServe's API.</summary>
public sealed class ConsoleApiTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;

    public ConsoleApiTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task A_model_can_be_tried_on_the_management_listener()
    {
        await _server.ServeAsync("tried", "EchoHandler");
        const string path = "/console/predictions/tried";

        Assert.Equal("raw", (await PostAsync(path, new StringContent("raw"))).Text);
        var version = await PostAsync(path + "/1.0", new MultipartFormDataContent { { new StringContent("part"), "data" } });
        Assert.Equal((HttpStatusCode.OK, "part"), (version.Status, version.Text));
        Assert.Equal((HttpStatusCode.NotFound, "ModelVersionNotFoundException"), await ErrorAsync(path + "/9.9"));
        Assert.Equal((HttpStatusCode.NotFound, "ModelNotFoundException"), await ErrorAsync("/console/predictions/none"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _server.ManageAsync(HttpMethod.Put, path)).Status);
        Assert.Equal(2, await _server.MetricAsync("""serve_requests_total{model="tried",version="1.0",code="200"}"""));

        async Task<(HttpStatusCode, string)> ErrorAsync(string wrong)
        {
            var answer = await PostAsync(wrong, new StringContent("x"));
            return (answer.Status, answer.Error.Type);
        }
    }

    [Fact]
    public async Task Only_a_request_that_asks_is_told_where_its_time_went()
    {
        await _server.ServeAsync("timed", "EchoHandler");
        var told = await _server.PredictAsync("timed", [1], headers: ("x-serve-timings", "true"));
        Assert.Matches("""^read;dur=[\d.]+, queue;dur=[\d.]+, transfer;dur=[\d.]+, decode_wait;dur=[\d.]+, decode;dur=[\d.]+, assemble;dur=[\d.]+, execute;dur=[\d.]+, encode;dur=[\d.]+, total;dur=[\d.]+, batch;desc="1"$""", told.Headers["Server-Timing"]);
        Assert.False((await _server.PredictAsync("timed", [1])).Headers.ContainsKey("Server-Timing"));
        Assert.False((await _server.PredictAsync("timed", [1], headers: ("x-serve-timings", "false"))).Headers.ContainsKey("Server-Timing"));

        var wrong = await _server.PredictAsync("timed", [1], headers: ("x-serve-timings", "perhaps"));
        Assert.Equal((HttpStatusCode.BadRequest, "Header x-serve-timings must be true or false, not \"perhaps\"."), (wrong.Status, wrong.Error.Message));
    }

    private Task<Answer> PostAsync(string path, HttpContent content) => _server.ManageAsync(HttpMethod.Post, path, content);
}
