using System.Net;
using Grpc.Core;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>Configuration, statistics and settings, over REST and over gRPC.</summary>
public sealed class ReportTests : IClassFixture<OpenInferenceServer>
{
    private readonly OpenInferenceServer _fixture;

    public ReportTests(OpenInferenceServer fixture, ITestOutputHelper output)
    {
        _fixture = fixture;
        fixture.Server.ShowLogs(output);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_models_configuration_is_Serves_in_the_protocols_words()
    {
        await RegisterAsync("configured", """{"url":"add_sub.onnx","model_name":"configured","initial_workers":1,"batch_size":8}""");

        var config = (await _fixture.Server.GetAsync("/v2/models/configured/config")).Json;
        var called = (await _fixture.Client.ModelConfigAsync(new ModelConfigRequest { Name = "configured", Version = "1.0" }, cancellationToken: Cancellation)).Config;

        Assert.Equal(("configured", "onnxruntime_onnx", "onnxruntime", 8), (config.GetProperty("name").GetString(), config.GetProperty("platform").GetString(), config.GetProperty("backend").GetString(), config.GetProperty("max_batch_size").GetInt32()));
        Assert.Equal("""[{"name":"a","data_type":"TYPE_FP32","dims":[2]},{"name":"b","data_type":"TYPE_FP32","dims":[2]}]""", config.GetProperty("input").GetRawText());
        Assert.Equal("KIND_CPU", config.GetProperty("instance_group")[0].GetProperty("kind").GetString());
        Assert.Equal(
            """{"preferred_batch_size":[],"max_queue_delay_microseconds":0,"preserve_ordering":false,"priority_levels":1,"default_priority_level":1,"default_queue_policy":{"timeout_action":"REJECT","default_timeout_microseconds":0,"allow_timeout_override":true,"max_queue_size":100}}""",
            config.GetProperty("dynamic_batching").GetRawText());
        Assert.Equal("1", config.GetProperty("parameters").GetProperty("minWorkers").GetProperty("string_value").GetString());
        Assert.Equal("120000ms", config.GetProperty("parameters").GetProperty("responseTimeout").GetProperty("string_value").GetString());
        Assert.False(config.TryGetProperty("version_policy", out _));
        Assert.Equal((8, 0ul, DataType.TypeFp32), (called.MaxBatchSize, called.DynamicBatching.DefaultQueuePolicy.DefaultTimeoutMicroseconds, called.Output[1].DataType));
    }

    [Fact]
    public async Task Statistics_count_what_was_executed_and_what_failed()
    {
        await RegisterAsync("counted", """{"url":"add_sub.onnx","model_name":"counted","initial_workers":1}""");
        var before = Assert.Single((await _fixture.Client.ModelStatisticsAsync(new ModelStatisticsRequest { Name = "counted" }, cancellationToken: Cancellation)).ModelStats);
        for (var i = 0; i < 3; i++) Assert.Equal(HttpStatusCode.OK, (await _fixture.Server.PredictAsync("counted", """{"a":[1,2],"b":[3,4]}"""u8.ToArray())).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await _fixture.Server.PredictAsync("counted", "{}"u8.ToArray())).Status);

        var all = (await _fixture.Server.GetAsync("/v2/models/stats")).Json.GetProperty("model_stats");
        var counted = Assert.Single((await _fixture.Server.GetAsync("/v2/models/counted/stats")).Json.GetProperty("model_stats").EnumerateArray());
        var done = counted.GetProperty("inference_stats");

        Assert.Equal((0ul, 0ul, 0ul), (before.LastInference, before.InferenceCount, before.InferenceStats.Success.Count));
        Assert.Contains(all.EnumerateArray(), model => model.GetProperty("name").GetString() == "echo");
        Assert.Equal((3, 3), (counted.GetProperty("inference_count").GetInt32(), counted.GetProperty("execution_count").GetInt32()));
        Assert.InRange(counted.GetProperty("last_inference").GetInt64(), DateTimeOffset.UtcNow.AddMinutes(-2).ToUnixTimeMilliseconds(), DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
        Assert.Equal((3, 1), (done.GetProperty("success").GetProperty("count").GetInt32(), done.GetProperty("fail").GetProperty("count").GetInt32()));
        foreach (var part in (string[])["success", "fail", "queue", "compute_input", "compute_infer"]) Assert.True(done.GetProperty(part).GetProperty("ns").GetInt64() > 0, part);
        Assert.Equal((1, 3), (counted.GetProperty("batch_stats")[0].GetProperty("batch_size").GetInt32(), counted.GetProperty("batch_stats")[0].GetProperty("compute_infer").GetProperty("count").GetInt32()));
        Assert.False(counted.TryGetProperty("response_stats", out _));
        Assert.True(counted.GetProperty("batch_stats")[0].GetProperty("compute_input").GetProperty("ns").GetInt64() > 0);
        Assert.True(counted.GetProperty("memory_usage")[0].GetProperty("byte_size").GetInt64() > 1 << 20);
    }

    [Fact]
    public async Task Responses_of_decoupled_models_are_counted_by_their_place()
    {
        await _fixture.Server.ServeAsync("repeated", "RepeatInt32Handler");
        using (var call = _fixture.Client.ModelStreamInfer(cancellationToken: Cancellation))
        {
            await call.RequestStream.WriteAsync(Repeat([5, 6, 7], [0, 0, 0]), Cancellation);
            await call.RequestStream.WriteAsync(Repeat([5], [0]), Cancellation);
            await call.RequestStream.WriteAsync(Repeat([5, 6], [0]), Cancellation);
            await call.RequestStream.CompleteAsync();
            while (await call.ResponseStream.MoveNext(Cancellation))
            {
                // Four of them, and an error.
            }
        }

        using (var left = _fixture.Client.ModelStreamInfer(cancellationToken: Cancellation))
        {
            await left.RequestStream.WriteAsync(Repeat([5, 6], [0, 60_000]), Cancellation);
            Assert.True(await left.ResponseStream.MoveNext(Cancellation));
        }

        var responses = await Eventually.BecomesAsync("the client that left is counted", StatisticsAsync, found => found.GetValueOrDefault("1")?.Cancel.Count == 1);
        var json = (await _fixture.Server.GetAsync("/v2/models/repeated/stats")).Json.GetProperty("model_stats")[0].GetProperty("response_stats");

        Assert.Equal(["0", "1", "2", "3"], responses.Keys.Order());
        Assert.Equal([3ul, 1, 1, 0], Counts(static place => place.Success));
        Assert.Equal([3ul, 1, 1, 0], Counts(static place => place.ComputeOutput));
        Assert.Equal([1ul, 0, 0, 0], Counts(static place => place.Fail));
        Assert.Equal([0ul, 1, 0, 1], Counts(static place => place.EmptyResponse));
        Assert.Equal([0ul, 1, 0, 0], Counts(static place => place.Cancel));
        Assert.True(responses["0"].ComputeInfer.Ns > 0);
        Assert.Equal(3, json.GetProperty("0").GetProperty("success").GetProperty("count").GetInt32());
        Assert.Equal(1, json.GetProperty("3").GetProperty("empty_response").GetProperty("count").GetInt32());

        IEnumerable<ulong> Counts(Func<InferResponseStatistics, StatisticDuration> what) => Enumerable.Range(0, 4).Select(place => what(responses[$"{place}"]).Count);

        async Task<IReadOnlyDictionary<string, InferResponseStatistics>> StatisticsAsync() =>
            (await _fixture.Client.ModelStatisticsAsync(new ModelStatisticsRequest { Name = "repeated" }, cancellationToken: Cancellation)).ModelStats.Single().ResponseStats.ToDictionary();

        static ModelInferRequest Repeat(int[] values, uint[] delays) => InferServer.Request(
            "repeated", [WireTensor.Of("IN", "INT32", [values.Length], values), WireTensor.Of("DELAY", "UINT32", [delays.Length], delays), WireTensor.Of("WAIT", "UINT32", [1], 0u)]);
    }

    [Fact]
    public async Task The_logs_settings_are_the_level_of_the_server()
    {
        var quiet = await _fixture.PostAsync("/v2/logging", """{"log_info":false,"log_error":true}""");
        var level = (await _fixture.Server.ManageAsync(HttpMethod.Get, "/logging")).Json.GetProperty("level").GetString();
        var verbose = await _fixture.Client.LogSettingsAsync(new LogSettingsRequest { Settings = { ["log_verbose_level"] = new() { Uint32Param = 1 }, ["log_info"] = new() { BoolParam = true } } }, cancellationToken: Cancellation);
        var restored = await _fixture.PostAsync("/v2/logging", """{"log_verbose_level":0}""");

        Assert.Equal("""{"log_file":"","log_info":false,"log_warning":true,"log_error":true,"log_verbose_level":0,"log_format":"ISO8601"}""", quiet.Text);
        Assert.Equal("warning", level);
        Assert.True(verbose.Settings["log_info"].BoolParam);
        Assert.Equal(1u, verbose.Settings["log_verbose_level"].Uint32Param);
        Assert.Equal(restored.Text, (await _fixture.Server.GetAsync("/v2/logging")).Text);
        Assert.Equal("information", (await _fixture.Server.ManageAsync(HttpMethod.Get, "/logging")).Json.GetProperty("level").GetString());
    }

    [Fact]
    public async Task Settings_of_tracing_are_kept_for_the_server_and_for_models()
    {
        await _fixture.PostAsync("/v2/trace/setting", """{"trace_rate":"500","trace_level":["OFF"]}""");
        await _fixture.PostAsync("/v2/models/add_sub/trace/setting", """{"trace_count":"7"}""");
        var model = (await _fixture.Server.GetAsync("/v2/models/add_sub/trace/setting")).Text;
        var cleared = await _fixture.Client.TraceSettingAsync(new TraceSettingRequest { ModelName = "add_sub", Settings = { ["trace_count"] = new() } }, cancellationToken: Cancellation);

        Assert.Equal("""{"trace_level":["OFF"],"trace_rate":"500","trace_count":"7","log_frequency":"0","trace_file":"","trace_mode":"triton"}""", model);
        Assert.Equal(("-1", "500"), (cleared.Settings["trace_count"].Value[0], cleared.Settings["trace_rate"].Value[0]));
    }

    [Theory]
    [InlineData("/v2/logging", """{"log_file":"x"}""", HttpStatusCode.NotImplemented, "log_file")]
    [InlineData("/v2/logging", """{"log_error":false}""", HttpStatusCode.BadRequest, "log_error")]
    [InlineData("/v2/logging", """{"log_warning":false}""", HttpStatusCode.BadRequest, "log_info without log_warning")]
    [InlineData("/v2/logging", """{"log_verbose_level":-1}""", HttpStatusCode.BadRequest, "log_verbose_level")]
    [InlineData("/v2/logging", """{"loud":true}""", HttpStatusCode.BadRequest, "'loud'")]
    [InlineData("/v2/logging", "[", HttpStatusCode.BadRequest, "failed to parse")]
    [InlineData("/v2/logging", """{"log_format":"\ud800"}""", HttpStatusCode.BadRequest, "failed to parse")]
    [InlineData("/v2/logging", """{"\ud800":true}""", HttpStatusCode.BadRequest, "failed to parse")]
    [InlineData("/v2/trace/setting", """{"trace_file":"\ud800"}""", HttpStatusCode.BadRequest, "failed to parse")]
    [InlineData("/v2/trace/setting", """{"trace_level":["TIMESTAMPS"]}""", HttpStatusCode.NotImplemented, "has no collector to send traces to")]
    [InlineData("/v2/trace/setting", """{"trace_file":"x"}""", HttpStatusCode.NotImplemented, "trace_file")]
    [InlineData("/v2/trace/setting", """{"trace_rate":"-5"}""", HttpStatusCode.BadRequest, "trace_rate")]
    [InlineData("/v2/models/none/trace/setting", "{}", HttpStatusCode.NotFound, "Request for unknown model")]
    [InlineData("/v2/models/add_sub/versions/1.0/trace/setting", "{}", HttpStatusCode.NotFound, "Not Found")]
    public async Task Settings_that_there_are_not_are_refused(string path, string body, HttpStatusCode status, string message)
    {
        var answer = await _fixture.PostAsync(path, body);

        Assert.True(answer.Status == status, answer.Text);
        Assert.Contains(message, answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_other_sites_pages_send_changes_nothing()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v2/logging") { Content = new StringContent("""{"log_info":false}""") };
        request.Headers.Add("Sec-Fetch-Site", "cross-site");

        Assert.Equal(HttpStatusCode.Forbidden, (await _fixture.Server.SendAsync(request)).Status);
    }

    [Fact]
    public async Task Over_gRPC_the_same_is_refused() =>
        Assert.Equal(StatusCode.Unimplemented, (await OpenInferenceServer.FailureAsync(() => _fixture.Client.LogSettingsAsync(new LogSettingsRequest { Settings = { ["log_file"] = new() { StringParam = "x" } } }))).Code);

    private async Task RegisterAsync(string name, string json)
    {
        var answer = await _fixture.Server.ManageAsync(HttpMethod.Post, "/models", new StringContent(json, System.Text.Encoding.UTF8, "application/json"));
        Assert.True(answer.Status == HttpStatusCode.OK, $"{name}: {answer.Text}");
    }
}
