using System.Net;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>The management listener, as TorchServe's clients use it. Tests of one class run one after the other.</summary>
public sealed class ManagementApiTests : IClassFixture<ServerFixture>
{
    private readonly ServerFixture _server;

    public ManagementApiTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Fact]
    public async Task Describe_has_TorchServes_fields()
    {
        var json = (await _server.ManageAsync(HttpMethod.Get, "/models/fashion-vit")).Json[0];

        Assert.Equal("fashion-vit", json.GetProperty("modelName").GetString());
        Assert.Equal("1.0", json.GetProperty("modelVersion").GetString());
        Assert.True(json.GetProperty("loadedAtStartup").GetBoolean());
        Assert.Equal(32, json.GetProperty("batchSize").GetInt32());
        Assert.Equal(0, json.GetProperty("jobQueueStatus").GetProperty("pendingRequests").GetInt32());
        Assert.Equal("Ready", json.GetProperty("state").GetString());
        var worker = json.GetProperty("workers")[0];
        Assert.Equal("READY", worker.GetProperty("status").GetString());
        Assert.False(worker.GetProperty("gpu").GetBoolean());
        Assert.True(worker.GetProperty("pid").GetInt32() > 1);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", worker.GetProperty("startTime").GetString());
    }

    [Fact]
    public async Task A_version_lives_through_register_scale_default_and_unregister()
    {
        CopyVersion("2.0");
        var registered = await _server.ManageAsync(HttpMethod.Post, "/models?url=fashion-vit/2.0&initial_workers=1&batch_size=4");
        Assert.Equal((HttpStatusCode.OK, "Model \"fashion-vit\" Version: 2.0 registered with 1 initial workers"), (registered.Status, StatusOf(registered)));
        var again = await _server.ManageAsync(HttpMethod.Post, "/models?url=fashion-vit/2.0");
        Assert.Equal((HttpStatusCode.Conflict, "Model version 2.0 is already registered for model fashion-vit"), (again.Status, again.Error.Message));

        var all = await _server.ManageAsync(HttpMethod.Get, "/models/fashion-vit/all");
        Assert.Equal(["1.0", "2.0"], all.Json.EnumerateArray().Select(version => version.GetProperty("modelVersion").GetString()));
        Assert.Equal([32, 4], all.Json.EnumerateArray().Select(version => version.GetProperty("batchSize").GetInt32()));

        var scaled = await _server.ManageAsync(HttpMethod.Put, "/models/fashion-vit/2.0?min_worker=2&synchronous=true");
        Assert.Equal((HttpStatusCode.OK, "Workers scaled to 2 for model: fashion-vit, version: 2.0"), (scaled.Status, StatusOf(scaled)));
        var later = await _server.ManageAsync(HttpMethod.Put, "/models/fashion-vit/2.0?min_worker=1");
        Assert.Equal((HttpStatusCode.Accepted, "Processing worker updates..."), (later.Status, StatusOf(later)));

        var refused = await _server.ManageAsync(HttpMethod.Delete, "/models/fashion-vit/1.0");
        Assert.Equal((HttpStatusCode.Forbidden, "InvalidModelVersionException", "Cannot remove default version for model fashion-vit"), (refused.Status, refused.Error.Type, refused.Error.Message));

        var missing = await _server.ManageAsync(HttpMethod.Put, "/models/fashion-vit/9.9/set-default");
        Assert.Equal((HttpStatusCode.NotFound, "Model version 9.9 does not exist for model fashion-vit"), (missing.Status, missing.Error.Message));
        var changed = await _server.ManageAsync(HttpMethod.Put, "/models/fashion-vit/2.0/set-default");
        Assert.Equal("Default version successfully updated for model \"fashion-vit\" to \"2.0\"", StatusOf(changed));
        await _server.ManageAsync(HttpMethod.Put, "/models/fashion-vit/1.0/set-default");

        var removed = await _server.ManageAsync(HttpMethod.Delete, "/models/fashion-vit/2.0");
        Assert.Equal((HttpStatusCode.OK, "Model \"fashion-vit\" unregistered"), (removed.Status, StatusOf(removed)));
        Assert.Equal(HttpStatusCode.NotFound, (await _server.ManageAsync(HttpMethod.Get, "/models/fashion-vit/2.0")).Status);
    }

    [Fact]
    public async Task A_model_may_be_registered_without_workers_by_a_JSON_body()
    {
        using var body = new StringContent("""{"url": "fashion-vit/1.0", "model_name": "idle", "initial_workers": 0}""", Encoding.UTF8, "application/json");
        var registered = await _server.ManageAsync(HttpMethod.Post, "/models", body);
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);
        Assert.Equal("Model \"idle\" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the model.", StatusOf(registered));

        var refused = await _server.PredictAsync("idle", [1]);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "ServiceUnavailableException"), (refused.Status, refused.Error.Type));
        Assert.True(int.Parse(refused.Headers["Retry-After"], System.Globalization.CultureInfo.InvariantCulture) >= 1);
        Assert.Equal("{\n  \"status\": \"Healthy\"\n}\n", (await _server.GetAsync("/ping")).Text);

        var list = (await _server.ManageAsync(HttpMethod.Get, "/models?limit=1")).Json;
        Assert.Equal("1", list.GetProperty("nextPageToken").GetString());
        Assert.Equal("fashion-vit", list.GetProperty("models")[0].GetProperty("modelName").GetString());
        var last = (await _server.ManageAsync(HttpMethod.Get, "/models?limit=1&next_page_token=1")).Json;
        Assert.False(last.TryGetProperty("nextPageToken", out _));
        Assert.Equal("idle", last.GetProperty("models")[0].GetProperty("modelName").GetString());

        Assert.Equal(HttpStatusCode.OK, (await _server.ManageAsync(HttpMethod.Delete, "/models/idle")).Status);
    }

    [Theory]
    [InlineData("POST", "/models", 400, "Parameter url is required.")]
    [InlineData("POST", "/models?url=", 404, "empty url")]
    [InlineData("POST", "/models?url=../x.mar", 404, "Relative path is not allowed in url: ../x.mar")]
    [InlineData("POST", "/models?url=none.mar", 404, "Model not found at: none.mar")]
    [InlineData("POST", "/models?url=x&batch_size=dd", 400, "Parameter batch_size must be a whole number, not \"dd\".")]
    [InlineData("POST", "/models?url=x&batch_size=0", 400, "Parameter batch_size must be at least 1, not 0.")]
    [InlineData("POST", "/models?url=fashion-vit&model_name=crowd&initial_workers=100000&synchronous=false", 400, "initial_workers is 100000; it must be 0 to 256.")]
    [InlineData("POST", "/models?url=x&synchronous=perhaps", 400, "Parameter synchronous must be true or false, not \"perhaps\".")]
    [InlineData("POST", "/models?url=x&runtime=java", 400, "Invalid RuntimeType value: java")]
    [InlineData("POST", "/models/fashion-vit", 405, "Requested method is not allowed, please refer to API document.")]
    [InlineData("PUT", "/models", 405, "Requested method is not allowed, please refer to API document.")]
    [InlineData("PUT", "/models/none?min_worker=1", 404, "Model not found: none")]
    [InlineData("PUT", "/models/fashion-vit?min_worker=-1", 400, "Parameter min_worker must be at least 0, not -1.")]
    [InlineData("PUT", "/models/fashion-vit?min_worker=2&max_worker=1", 400, "max_worker cannot be less than min_worker.")]
    [InlineData("PUT", "/models/fashion-vit?max_worker=-1", 400, "max_worker cannot be less than min_worker.")]
    [InlineData("DELETE", "/models/none", 404, "Model not found: none")]
    [InlineData("GET", "/models/none", 404, "Model not found: none")]
    [InlineData("GET", "/models/none/all", 404, "Model not found: none")]
    [InlineData("GET", "/models?limit=x", 400, "Parameter limit must be a whole number, not \"x\".")]
    [InlineData("GET", "/predictions/fashion-vit", 404, "Requested resource is not found, please refer to API document.")]
    public async Task What_is_wrong_is_named(string method, string path, int status, string message)
    {
        var answer = await _server.ManageAsync(new HttpMethod(method), path);
        Assert.Equal((status, message), ((int)answer.Status, answer.Error.Message));
    }

    [Fact]
    public async Task What_has_no_effect_is_in_the_log_and_what_is_out_of_range_is_the_requests_fault()
    {
        var wrong = await _server.ManageAsync(HttpMethod.Post, "/models?url=fashion-vit&model_name=large&batch_size=5000");
        Assert.Equal((HttpStatusCode.BadRequest, "BadRequestException"), (wrong.Status, wrong.Error.Type));
        Assert.Contains("parameter batch_size", wrong.Error.Message, StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.OK, (await _server.ManageAsync(HttpMethod.Post, "/models?url=fashion-vit&model_name=delayed&max_batch_delay=50&initial_workers=0")).Status);
        await _server.WaitForLogAsync(line => line.Contains("delayed", StringComparison.Ordinal) && line.Contains("max_batch_delay", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, (await _server.ManageAsync(HttpMethod.Delete, "/models/delayed")).Status);
    }

    [Theory]
    [InlineData("""{"url": "\ud800"}""", "The request body is not valid JSON: the text at byte 8 has half a surrogate pair")]
    [InlineData("""{"url": "x.mar", "\udc00": 1}""", "The request body is not valid JSON: the text at byte 17 has half a surrogate pair")]
    public async Task A_body_with_half_a_character_is_the_clients_fault(string body, string message)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _server.Management + "/models") { Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
        var answer = await _server.SendAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.StartsWith(message, answer.Error.Message, StringComparison.Ordinal);
    }

    private void CopyVersion(string version)
    {
        var source = Path.Combine(_server.ModelStore, "fashion-vit", "1.0");
        var target = Directory.CreateDirectory(Path.Combine(_server.ModelStore, "fashion-vit", version)).FullName;
        foreach (var file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)), overwrite: true);
    }

    private static string? StatusOf(Answer answer) => answer.Json.GetProperty("status").GetString();
}
