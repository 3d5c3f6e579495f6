using System.Net;
using Grpc.Core;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>What clients of the Open Inference Protocol ask before they send anything.</summary>
public sealed class HealthAndMetadataTests : IClassFixture<OpenInferenceServer>
{
    private readonly OpenInferenceServer _fixture;

    public HealthAndMetadataTests(OpenInferenceServer fixture, ITestOutputHelper output)
    {
        _fixture = fixture;
        fixture.Server.ShowLogs(output);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_and_models_say_whether_they_take_requests()
    {
        var (live, ready, model, version) = (await _fixture.Server.GetAsync("/v2/health/live"), await _fixture.Server.GetAsync("/v2/health/ready?test_1=1"), await _fixture.Server.GetAsync("/v2/models/add_sub/ready"), await _fixture.Server.GetAsync("/v2/models/add_sub/versions/1.0/ready"));

        Assert.Equal((HttpStatusCode.OK, """{"live":true}"""), (live.Status, live.Text));
        Assert.Equal((HttpStatusCode.OK, """{"ready":true}"""), (ready.Status, ready.Text));
        Assert.Equal((HttpStatusCode.OK, """{"name":"add_sub","ready":true}"""), (model.Status, model.Text));
        Assert.Equal(model.Text, version.Text);
        Assert.True((await _fixture.Client.ServerLiveAsync(new(), cancellationToken: Cancellation)).Live);
        Assert.True((await _fixture.Client.ServerReadyAsync(new(), cancellationToken: Cancellation)).Ready);
        Assert.True((await _fixture.Client.ModelReadyAsync(new() { Name = "add_sub" }, cancellationToken: Cancellation)).Ready);
        Assert.False((await _fixture.Client.ModelReadyAsync(new() { Name = "none" }, cancellationToken: Cancellation)).Ready);
    }

    [Fact]
    public async Task A_model_without_workers_is_not_ready()
    {
        await _fixture.Server.ServeAsync("idle", "EchoHandler", workers: 0);

        var ready = await _fixture.Server.GetAsync("/v2/models/idle/ready");
        var metadata = await _fixture.Server.GetAsync("/v2/models/idle");

        Assert.Equal((HttpStatusCode.BadRequest, """{"name":"idle","ready":false,"error":"Model version not ready"}"""), (ready.Status, ready.Text));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, """{"error":"Request for unknown model: 'idle' version 1.0 is not at ready state"}"""), (metadata.Status, metadata.Text));
        Assert.False((await _fixture.Client.ModelReadyAsync(new() { Name = "idle" }, cancellationToken: Cancellation)).Ready);
        Assert.Equal(StatusCode.Unavailable, (await OpenInferenceServer.FailureAsync(() => _fixture.Client.ModelMetadataAsync(new() { Name = "idle" }))).Code);
    }

    [Fact]
    public async Task Metadata_tell_of_the_server_and_of_the_models_tensors()
    {
        var server = (await _fixture.Server.GetAsync("/v2")).Json;
        var model = await _fixture.Server.GetAsync("/v2/models/add_sub");
        var handler = (await _fixture.Server.GetAsync("/v2/models/echo")).Json;
        var called = await _fixture.Client.ModelMetadataAsync(new() { Name = "add_sub", Version = "1.0" }, cancellationToken: Cancellation);

        Assert.Equal("serve", server.GetProperty("name").GetString());
        Assert.Equal(server.GetProperty("version").GetString(), (await _fixture.Client.ServerMetadataAsync(new(), cancellationToken: Cancellation)).Version);
        Assert.Equal(
            """{"name":"add_sub","versions":["1.0"],"platform":"onnxruntime_onnx","inputs":[{"name":"a","datatype":"FP32","shape":[-1,2]},{"name":"b","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"sum","datatype":"FP32","shape":[-1,2]},{"name":"difference","datatype":"FP32","shape":[-1,2]}]}""",
            model.Text);
        Assert.Equal("dotnet", handler.GetProperty("platform").GetString());
        Assert.Empty(handler.GetProperty("inputs").EnumerateArray());
        Assert.Equal(("b", "FP32", 2), (called.Inputs[1].Name, called.Inputs[1].Datatype, (int)called.Inputs[1].Shape[1]));
    }

    [Theory]
    [InlineData("GET", "/v2/models/none", HttpStatusCode.NotFound, "Request for unknown model: 'none' is not found")]
    [InlineData("GET", "/v2/models/none/ready", HttpStatusCode.NotFound, "Request for unknown model: 'none' is not found")]
    [InlineData("GET", "/v2/models/add_sub/versions/7", HttpStatusCode.NotFound, "Request for unknown model: 'add_sub' version 7 is not found")]
    [InlineData("GET", "/v2/nothing", HttpStatusCode.NotFound, "Not Found")]
    [InlineData("DELETE", "/v2/models/add_sub", HttpStatusCode.MethodNotAllowed, "Method Not Allowed")]
    [InlineData("POST", "/v2/health/live", HttpStatusCode.MethodNotAllowed, "Method Not Allowed")]
    public async Task Errors_have_the_protocols_form(string verb, string path, HttpStatusCode status, string message)
    {
        var answer = await _fixture.Server.SendAsync(new HttpRequestMessage(new HttpMethod(verb), path));

        Assert.Equal((status, $$"""{"error":"{{message}}"}"""), (answer.Status, answer.Text));
        Assert.Equal("application/json", answer.Headers["Content-Type"]);
    }

    [Fact]
    public async Task An_unknown_model_is_NOT_FOUND() =>
        Assert.Equal((StatusCode.NotFound, "Request for unknown model: 'none' is not found"), await OpenInferenceServer.FailureAsync(() => _fixture.Client.ModelMetadataAsync(new ModelMetadataRequest { Name = "none" })));
}
