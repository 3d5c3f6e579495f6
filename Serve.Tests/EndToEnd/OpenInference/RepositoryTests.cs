using System.Net;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Worker;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>Loading and unloading models over the protocol: the same registry as the management API's, and as a restart finds it.</summary>
public sealed class RepositoryTests : IClassFixture<HandlerServer>, IDisposable
{
    private readonly ServerFixture _server;
    private readonly GrpcChannel _channel;
    private readonly GRPCInferenceService.GRPCInferenceServiceClient _client;

    public RepositoryTests(HandlerServer fixture, ITestOutputHelper output)
    {
        _server = fixture.Server;
        _server.ShowLogs(output);
        _channel = GrpcChannel.ForAddress(_server.GrpcInference);
        _client = new GRPCInferenceService.GRPCInferenceServiceClient(_channel);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _channel.Dispose();

    [Fact]
    public async Task A_model_of_the_store_is_loaded_and_unloaded_and_both_views_agree()
    {
        Add(_server, "cycle.onnx");
        var before = Entry(await IndexAsync(), "cycle");
        var load = await PostAsync("/v2/repository/models/cycle/load");
        var loaded = Entry(await IndexAsync("""{"ready":true}"""), "cycle");
        var described = await _server.DescribeAsync("cycle");
        var answer = await _server.PredictAsync("cycle", """{"a":[1,2],"b":[3,4]}"""u8.ToArray());
        var unload = await PostAsync("/v2/repository/models/cycle/unload", """{"parameters":{"unload_dependents":true}}""");
        var after = Entry(await IndexAsync(), "cycle");

        Assert.Equal("""{"name":"cycle"}""", before);
        Assert.Equal((HttpStatusCode.OK, """{"name":"cycle","load":true}"""), (load.Status, load.Text));
        Assert.Equal("""{"name":"cycle","version":"1.0","state":"READY","reason":""}""", loaded);
        Assert.Equal(("READY", "cycle.onnx"), (described.Workers.Single().Status, described.ModelUrl));
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(HttpStatusCode.OK, unload.Status);
        Assert.Equal("""{"name":"cycle","version":"1.0","state":"UNAVAILABLE","reason":"unloaded"}""", after);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.ManageAsync(HttpMethod.Get, "/models/cycle")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.GetAsync("/v2/models/cycle/ready")).Status);
    }

    [Fact]
    public async Task Over_gRPC_the_same_is_done()
    {
        Add(_server, "called.onnx");
        await _client.RepositoryModelLoadAsync(new RepositoryModelLoadRequest { ModelName = "called" }, cancellationToken: Cancellation);
        var index = await _client.RepositoryIndexAsync(new RepositoryIndexRequest { Ready = true }, cancellationToken: Cancellation);
        await _client.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = "called", Parameters = { ["unload_dependents"] = new() { BoolParam = false } } }, cancellationToken: Cancellation);

        Assert.Equal(("1.0", "READY"), (index.Models.Single(model => model.Name == "called").Version, index.Models.Single(model => model.Name == "called").State));
        Assert.False((await _client.ModelReadyAsync(new ModelReadyRequest { Name = "called" }, cancellationToken: Cancellation)).Ready);
        Assert.Equal((StatusCode.NotFound, "Request for unknown model: 'none' is not found"), await OpenInferenceServer.FailureAsync(() => _client.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = "none" })));
        Assert.Equal(StatusCode.Unimplemented, (await OpenInferenceServer.FailureAsync(() => _client.RepositoryIndexAsync(new RepositoryIndexRequest { RepositoryName = "other" }))).Code);
    }

    [Fact]
    public async Task A_model_that_has_not_changed_is_not_loaded_again_and_one_that_has_is()
    {
        var file = Add(_server, "again.onnx");
        await LoadAsync("again");
        var pid = (await _server.WorkerPidsAsync("again")).Single();
        await LoadAsync("again");
        var same = (await _server.WorkerPidsAsync("again")).Single();
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddMinutes(-5));
        await LoadAsync("again");

        Assert.Equal(pid, same);
        Assert.NotEqual(pid, (await _server.WorkerPidsAsync("again")).Single());
        Assert.Equal(1, await _server.MetricAsync("""serve_workers{model="again",version="1.0",state="ready"}"""));
        Assert.Equal(1, await _server.MetricAsync("""serve_model_state{model="again",version="1.0",state="ready"}"""));
    }

    [Fact]
    public async Task A_configuration_comes_with_the_load_and_what_it_does_not_have_comes_from_the_model()
    {
        Add(_server, "tuned.onnx");
        const string Config = """{"name":"tuned","backend":"onnxruntime","max_batch_size":16,"dynamic_batching":{"max_queue_delay_microseconds":5000,"priority_levels":3,"default_priority_level":2,"default_queue_policy":{"max_queue_size":7,"default_timeout_microseconds":2000000}},"instance_group":[{"count":2,"kind":"KIND_CPU"}],"input":[{"name":"a","data_type":"TYPE_FP32","dims":[2]}],"parameters":{"minWorkers":{"string_value":"1"}}}""";
        await LoadAsync("tuned", Config);

        var described = await _server.DescribeAsync("tuned");
        var config = (await _server.GetAsync("/v2/models/tuned/config")).Text;
        Assert.Equal((16, 2, "delayed", 5, 7, 2000), (described.BatchSize, described.Instances, described.Batching, (int)described.MaxBatchDelay, described.MaxQueueSize, (int)described.LatencyTarget!));
        Assert.Contains(""""max_queue_delay_microseconds":5000,"preserve_ordering":false,"priority_levels":3,"default_priority_level":2,"default_queue_policy":{"timeout_action":"REJECT","default_timeout_microseconds":2000000"""", config, StringComparison.Ordinal);

        // What the server says can be given back to it, and changes nothing.
        var pid = (await _server.WorkerPidsAsync("tuned")).Single();
        await LoadAsync("tuned", Config);
        Assert.Equal(pid, (await _server.WorkerPidsAsync("tuned")).Single());
        await LoadAsync("tuned", config);
        Assert.Equal(16, (await _server.DescribeAsync("tuned")).BatchSize);
        await LoadAsync("tuned");
        Assert.Equal(32, (await _server.DescribeAsync("tuned")).BatchSize); // that of a model without a configuration
    }

    [Fact]
    public async Task A_configuration_that_is_given_back_as_it_is_changes_nothing()
    {
        // Over gRPC as its clients write messages: 64 bits as text, what is 0 or false left out.
        var grpc = new JsonFormatter(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));

        // With a batch, all of it set; with a batch and a queue by measure; without a batch, which the protocol's fields cannot say all of.
        const string Plain = "batchSize: 8\nresponseTimeout: 30\nmaxQueueSize: 50\npriorityLevels: 3\n";
        Write("back_batched", Plain + "batching: delayed\nmaxBatchDelay: 2500us\nlatencyTarget: 1500ms\n", SmallModels.SumAndDifference);
        Write("back_auto", "batchSize: 4\nmaxQueueSize: auto\n", SmallModels.SumAndDifference);
        Write("back_fixed", Plain, static file => SmallModels.Identity(file, DataType.Float, 1, 3));
        foreach (var (model, config) in ((string, string)[])[("back_batched", "{}"), ("back_auto", """{"parameters":{"topK":{"string_value":"3"}}}"""), ("back_fixed", """{"parameters":{"maxQueueSize":{"string_value":"60"},"topK":{"string_value":"3"}}}""")])
        {
            await LoadAsync(model, config);
            var (before, told) = (await SettingsAsync(model), (await _server.GetAsync($"/v2/models/{model}/config")).Text);
            var called = grpc.Format((await _client.ModelConfigAsync(new ModelConfigRequest { Name = model }, cancellationToken: Cancellation)).Config);
            foreach (var given in (string[])[told, called])
            {
                await LoadAsync(model, given);

                Assert.Equal(before, await SettingsAsync(model));
                Assert.Equal(told, (await _server.GetAsync($"/v2/models/{model}/config")).Text);
            }
        }

        async Task<string> SettingsAsync(string model)
        {
            var described = await _server.DescribeAsync(model);
            return $"{described.BatchSize} {described.Batching} {described.MaxBatchDelay} {described.LatencyTarget} {described.ResponseTimeout} {described.MaxQueueSize} {described.MinWorkers} {described.MaxWorkers} {described.Instances}";
        }

        void Write(string name, string settings, Action<string> model)
        {
            var folder = Directory.CreateDirectory(Path.Combine(_server.ModelStore, name, "1")).FullName;
            model(Path.Combine(folder, "model.onnx"));
            File.WriteAllText(Path.Combine(folder, "model-config.yaml"), settings);
        }
    }

    [Fact]
    public async Task A_configuration_that_is_given_back_unloads_no_version_that_was_not_left_out_before()
    {
        foreach (var version in (string[])["1", "2"]) Add(_server, $"both/{version}/model.onnx");
        await LoadAsync("both", """{"version_policy":{"all":{}}}""");
        var all = await ConfigAsync();
        await LoadAsync("both", """{"version_policy":{"specific":{"versions":[1,2]}}}""");
        var specific = await ConfigAsync();
        await LoadAsync("both");
        var none = await ConfigAsync();
        await LoadAsync("both", none.GetRawText());
        var kept = (await IndexAsync("""{"ready":true}""")).EnumerateArray().Count(entry => entry.GetProperty("name").GetString() == "both");
        await LoadAsync("both", """{"version_policy":{"latest":{"num_versions":1}}}""");
        var latest = await ConfigAsync();

        Assert.Equal("""{"all":{}}""", all.GetProperty("version_policy").GetRawText());
        Assert.Equal("""{"specific":{"versions":[1,2]}}""", specific.GetProperty("version_policy").GetRawText());
        Assert.False(none.TryGetProperty("version_policy", out _));
        Assert.Equal(2, kept);
        Assert.Equal("""{"latest":{"num_versions":1}}""", latest.GetProperty("version_policy").GetRawText());

        async Task<JsonElement> ConfigAsync() => (await _server.GetAsync("/v2/models/both/config")).Json;
    }

    // Triton's dims leave the batch out wherever max_batch_size is not 0.
    [Theory]
    [InlineData("""{"max_batch_size":1,"input":[{"name":"a","data_type":"TYPE_FP32","dims":[2]}],"output":[{"name":"sum","dims":["2"]}]}""")]
    [InlineData("""{"max_batch_size":0,"input":[{"name":"a","data_type":"TYPE_FP32","dims":[-1,2]}]}""")]
    public async Task A_batch_of_one_is_a_batch_in_dims(string config)
    {
        if (!File.Exists(Path.Combine(_server.ModelStore, "single.onnx"))) Add(_server, "single.onnx");
        await LoadAsync("single", config);

        Assert.Equal(1, (await _server.DescribeAsync("single")).BatchSize);
    }

    [Theory]
    [InlineData("""{"sequence_batching":{"max_sequence_idle_microseconds":5}}""", "sequence_batching of the config is not available")]
    [InlineData("""{"optimization":{"graph":{"level":1}}}""", "optimization of the config is not available")]
    [InlineData("""{"dynamic_batching":{"preferred_batch_size":[4]}}""", "dynamic_batching.preferred_batch_size of the config is not available")]
    [InlineData("""{"dynamic_batching":{"default_queue_policy":{"timeout_action":"DELAY"}}}""", "timeout_action must be REJECT")]
    [InlineData("""{"dynamic_batching":{"priority_levels":3,"default_priority_level":1}}""", "default_priority_level is the middle of the levels, 2 of 3")]
    [InlineData("""{"max_batch_size":-1}""", "max_batch_size must be a whole number from 0 to 4096, not -1")]
    [InlineData("""{"instance_group":[{"count":1},{"count":2}]}""", "give one group")]
    [InlineData("""{"parameters":{"minWorker":{"string_value":"1"}}}""", "minWorker")]
    [InlineData("""{"parameters":{"minWorkers":{"string_value":"many"}}}""", "minWorkers")]
    [InlineData("""{"backend":"pytorch"}""", "backend must be onnxruntime or dotnet, not 'pytorch'")]
    [InlineData("""{"name":"other"}""", "the config's name is 'other', not 'strict'")]
    [InlineData("""{"input":[{"name":"c"}]}""", "unexpected inference input 'c'")]
    [InlineData("""{"max_batch_size":4,"input":[{"name":"a","data_type":"TYPE_INT8","dims":[2]}]}""", "the input 'a' is FP32 in the model, not INT8")]
    [InlineData("""{"max_batch_size":4,"output":[{"name":"sum","dims":[3]}]}""", "the output 'sum' has the shape [2] in the model, not [3]")]
    [InlineData("""{"version_policy":{"specific":{"versions":[7]}}}""", "its version 7 is not in the model store")]
    [InlineData("""{"version_policy":{"newest":{}}}""", "version_policy.newest of the config is not available")]
    [InlineData("""{"version_policy":{"specific":{"versions":[]}}}""", "must name at least one version")]
    [InlineData("[", "the config is not valid JSON")]
    [InlineData("""{"name":"\ud800"}""", "the config is not valid JSON: the text at byte 8 has half a surrogate pair")]
    [InlineData("""{"parameters":{"\ud800":{"string_value":"1"}}}""", "the config is not valid JSON: the text at byte 15")]
    public async Task What_a_configuration_cannot_have_is_refused_by_its_name(string config, string message)
    {
        if (!File.Exists(Path.Combine(_server.ModelStore, "strict.onnx"))) Add(_server, "strict.onnx");
        var answer = await PostAsync("/v2/repository/models/strict/load", Body(config));

        Assert.InRange((int)answer.Status, 400, 404);
        Assert.StartsWith("failed to load 'strict', ", answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Contains(message, answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal("""{"name":"strict"}""", Entry(await IndexAsync(), "strict"));
    }

    [Fact]
    public async Task A_version_policy_says_which_versions_are_served_and_the_others_are_unloaded()
    {
        foreach (var version in (string[])["1", "2", "10"]) Add(_server, $"policy/{version}/model.onnx");
        await LoadAsync("policy", """{"version_policy":{"specific":{"versions":[1,"2"]}}}""");
        var named = await ServedAsync();
        await LoadAsync("policy", """{"version_policy":{"latest":{"num_versions":2}}}""");
        var latest = await ServedAsync();
        await LoadAsync("policy", """{"version_policy":{"specific":{"versions":[1]}}}""");
        var one = await ServedAsync();
        await LoadAsync("policy");
        var highest = await ServedAsync();
        await LoadAsync("policy", """{"version_policy":{"latest":{}}}""");
        var last = await ServedAsync();

        Assert.Equal(("1 2", "2"), named);
        Assert.Equal(("2 10", "10"), latest);
        Assert.Equal(("1", "1"), one);
        Assert.Equal(("1 10", "10"), highest); // without a policy nothing is unloaded
        Assert.Equal(("10", "10"), last);

        async Task<(string Versions, string Default)> ServedAsync()
        {
            var versions = (await IndexAsync("""{"ready":true}""")).EnumerateArray().Where(entry => entry.GetProperty("name").GetString() == "policy").Select(entry => entry.GetProperty("version").GetString());
            return (string.Join(' ', versions), (await _server.DescribeAsync("policy")).ModelVersion);
        }
    }

    [Fact]
    public async Task A_load_that_fails_leaves_what_was_served()
    {
        var file = Add(_server, "kept.onnx");
        await LoadAsync("kept");
        var pid = (await _server.WorkerPidsAsync("kept")).Single();
        File.WriteAllText(file, "no model");
        var failed = await PostAsync("/v2/repository/models/kept/load");

        Assert.Equal(HttpStatusCode.InternalServerError, failed.Status);
        Assert.StartsWith("failed to load 'kept', ", failed.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(pid, (await _server.WorkerPidsAsync("kept")).Single());
        Assert.Equal(HttpStatusCode.OK, (await _server.PredictAsync("kept", """{"a":[1,2],"b":[3,4]}"""u8.ToArray())).Status);
        Assert.Equal(1, await _server.MetricAsync("""serve_model_state{model="kept",version="1.0",state="ready"}"""));
    }

    [Fact]
    public async Task Requests_are_answered_while_their_model_is_loaded_again()
    {
        Add(_server, "busy.onnx");
        await LoadAsync("busy");
        using var stop = new CancellationTokenSource();
        var client = Task.Run(async () =>
        {
            var answers = new List<HttpStatusCode>();
            while (!stop.IsCancellationRequested)
            {
                answers.Add((await _server.PredictAsync("busy", """{"a":[1,2],"b":[3,4]}"""u8.ToArray())).Status);
                await Task.Delay(2, CancellationToken.None); // a processor for the workers that start
            }

            return answers;
        }, Cancellation);
        for (var size = 2; size <= 4; size++) await LoadAsync("busy", $$"""{"max_batch_size":{{size}}}""");
        await stop.CancelAsync();

        var answers = await client;

        // What the version before answered while this one loaded is not this one's, but for a request that was under way then; the last one may not be counted yet.
        var stats = (await _server.GetAsync("/v2/models/busy/stats")).Json.GetProperty("model_stats")[0];
        var executed = stats.GetProperty("execution_count").GetInt32();
        Assert.InRange(stats.GetProperty("inference_stats").GetProperty("success").GetProperty("count").GetInt32(), executed - 1, executed + 1);
        Assert.NotEmpty(answers);
        Assert.All(answers, status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.Equal(4, (await _server.DescribeAsync("busy")).BatchSize);
    }

    [Fact]
    public async Task A_models_files_may_come_with_the_load_over_REST_and_gRPC()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "model.onnx");
        SmallModels.SumAndDifference(file);
        var model = File.ReadAllBytes(file);

        var load = await PostAsync("/v2/repository/models/sent/load", $$$"""{"parameters":{"config":"{\"max_batch_size\":8}","file:3/model.onnx":"{{{Convert.ToBase64String(model)}}}"}}""");
        await _client.RepositoryModelLoadAsync(new RepositoryModelLoadRequest { ModelName = "streamed", Parameters = { ["config"] = new() { StringParam = "{}" }, ["file:2/model.onnx"] = new() { BytesParam = ByteString.CopyFrom(model) } } }, cancellationToken: Cancellation);

        Assert.True(load.Status == HttpStatusCode.OK, load.Text);
        Assert.Equal(("3", 8, "upload://sent/3"), ((await _server.DescribeAsync("sent")).ModelVersion, (await _server.DescribeAsync("sent")).BatchSize, (await _server.DescribeAsync("sent")).ModelUrl));
        Assert.Equal("2", (await _server.DescribeAsync("streamed")).ModelVersion);
        Assert.Equal(HttpStatusCode.OK, (await _server.PredictAsync("sent", """{"a":[1,2],"b":[3,4]}"""u8.ToArray())).Status);
    }

    [Theory]
    [InlineData("""{"parameters":{"file:1/model.onnx":"AAAA"}}""", "override model config must be specified along with the override files")]
    [InlineData("""{"parameters":{"config":"{}","file:model.onnx":"AAAA"}}""", "must begin with a version")]
    [InlineData("""{"parameters":{"config":"{}","file:1/../../x":"AAAA"}}""", "contains the segment ..")]
    [InlineData("""{"parameters":{"config":"{}","file:1/Code.dll":"AAAA"}}""", "is code")]
    [InlineData("""{"parameters":{"config":"{}","file:1/a":"AAAA","file:2/a":"AAAA"}}""", "of 2 versions")]
    [InlineData("""{"parameters":{"config":"{}","file:1/model.onnx":"?"}}""", "must be base64")]
    [InlineData("""{"parameters":{"config":{}}}""", "'config' must be a text")]
    [InlineData("""{"parameters":{"colour":"red"}}""", "unrecognized load parameter 'colour'")]
    [InlineData("""{"parameters":[]}""", "'parameters' must be an object")]
    [InlineData("""{"parameters":{"\ud800":1}}""", "failed to parse the request JSON buffer: the text at byte 15")]
    [InlineData("""{"parameters":{"config":"\ud800"}}""", "failed to parse the request JSON buffer: the text at byte 24")]
    public async Task Parameters_of_a_load_that_there_are_not_are_refused(string body, string message)
    {
        var answer = await PostAsync("/v2/repository/models/unsent/load", body);

        Assert.True(answer.Status == HttpStatusCode.BadRequest, answer.Text);
        Assert.Contains(message, answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answers_are_kept_if_the_configuration_says_so_for_every_protocol_and_until_the_model_is_loaded_again()
    {
        Add(_server, "kept_answers.onnx");
        await LoadAsync("kept_answers", """{"response_cache":{"enable":true}}""");
        const string Infer = """{"inputs":[{"name":"a","datatype":"FP32","shape":[1,2],"data":[1,2]},{"name":"b","datatype":"FP32","shape":[1,2],"data":[3,4]}]}""";
        var first = await PostAsync("/v2/models/kept_answers/infer", Infer);
        var second = await PostAsync("/v2/models/kept_answers/infer", Infer);
        var other = await PostAsync("/v2/models/kept_answers/infer", Infer.Replace("3,4", "3,5", StringComparison.Ordinal));
        for (var i = 0; i < 3; i++) await _server.PredictAsync("kept_answers", """{"a":[1,2],"b":[3,4]}"""u8.ToArray());
        var stats = (await _server.GetAsync("/v2/models/kept_answers/stats")).Json.GetProperty("model_stats")[0];
        var config = (await _server.GetAsync("/v2/models/kept_answers/config")).Json;

        Assert.True(first.Status == HttpStatusCode.OK, first.Text);
        Assert.Equal(first.Text, second.Text);
        Assert.Contains("[4,7]", other.Text, StringComparison.Ordinal);
        Assert.True(config.GetProperty("response_cache").GetProperty("enable").GetBoolean());
        Assert.Equal((3, 3, 3, 6, 6, 3), (Count("cache_hit"), Count("cache_miss"), stats.GetProperty("execution_count").GetInt32(), Count("success"), Count("queue"), Count("compute_infer")));
        Assert.Equal(3, await _server.MetricAsync("""serve_response_cache_hits_total{model="kept_answers",version="1.0"}"""));
        Assert.True(await _server.MetricAsync("""serve_response_cache_bytes{model="kept_answers",version="1.0"}""") > 0);

        // Without a cache nothing is told of one.
        await LoadAsync("kept_answers", """{"response_cache":{"enable":false}}""");
        Assert.DoesNotContain("kept_answers", await _server.ScrapeAsync("serve_response_cache_hits_total", "serve_response_cache_bytes"), StringComparison.Ordinal);
        Assert.Equal(6, await _server.MetricAsync("""serve_requests_total{model="kept_answers",version="1.0",code="200"}"""));

        int Count(string what) => stats.GetProperty("inference_stats").GetProperty(what).GetProperty("count").GetInt32();
    }

    [Fact]
    public async Task A_restart_finds_what_was_loaded_and_how_and_what_was_unloaded()
    {
        await using var server = await HandlerServer.StartAsync(null);
        var model = File.ReadAllBytes(Add(server, "stored.onnx"));
        Add(server, "gone.onnx");
        foreach (var (name, body) in ((string, string)[])
        [
            ("stored", Body("""{"max_batch_size":16,"parameters":{"maxWorkers":{"string_value":"2"}}}""")),
            ("sent", $$$"""{"parameters":{"config":"{}","file:5/model.onnx":"{{{Convert.ToBase64String(model)}}}"}}"""),
            ("gone", "{}"),
        ])
        {
            var answer = await server.SendAsync(new HttpRequestMessage(HttpMethod.Post, $"/v2/repository/models/{name}/load") { Content = new StringContent(body) });
            Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        }

        await server.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v2/repository/models/gone/unload"));
        await server.KillAndRestartAsync();
        await server.WaitUntilReadyAsync("sent");
        await server.WaitUntilReadyAsync("stored");

        Assert.Equal((16, 2), ((await server.DescribeAsync("stored")).BatchSize, (await server.DescribeAsync("stored")).MaxWorkers));
        Assert.Equal("5", (await server.DescribeAsync("sent")).ModelVersion);
        Assert.Equal(HttpStatusCode.NotFound, (await server.ManageAsync(HttpMethod.Get, "/models/gone")).Status);
    }

    [Fact]
    public async Task Loading_asks_for_a_token_of_management_where_there_are_some_and_can_be_switched_off()
    {
        await using var guarded = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--load-models", "none", "--management-tokens", "env:SERVE_TEST_TOKEN"], Environment = new Dictionary<string, string> { ["SERVE_TEST_TOKEN"] = TokenText } });
        await using var closed = await HandlerServer.StartAsync(null, "--open-inference-model-control", "none");
        Add(guarded, "m.onnx");
        Add(closed, "m.onnx");

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), ((await LoadAsync(guarded, null)).Status, (await LoadAsync(guarded, TokenText)).Status));
        Assert.Equal(HttpStatusCode.OK, (await guarded.GetAsync("/v2/models/m")).Status);
        Assert.Equal(HttpStatusCode.OK, (await guarded.PredictAsync("m", """{"a":[1,2],"b":[3,4]}"""u8.ToArray())).Status);
        using var channel = GrpcChannel.ForAddress(guarded.GrpcInference);
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
        Assert.Equal(StatusCode.Unauthenticated, (await OpenInferenceServer.FailureAsync(() => client.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = "m" }))).Code);
        Assert.True((await client.ModelReadyAsync(new ModelReadyRequest { Name = "m" }, cancellationToken: Cancellation)).Ready);

        var refused = await LoadAsync(closed, null);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.StartsWith("explicit model load / unload is not allowed", refused.Json.GetProperty("error").GetString(), StringComparison.Ordinal);

        static Task<Answer> LoadAsync(ServerFixture server, string? token)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/v2/repository/models/m/load");
            if (token is not null) request.Headers.Authorization = new("Bearer", token);
            return server.SendAsync(request);
        }
    }

    [Fact]
    public async Task Who_has_a_token_for_inference_changes_nothing_where_there_are_none_for_management()
    {
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--load-models", "none", "--inference-tokens", "env:SERVE_TEST_TOKEN"], Environment = new Dictionary<string, string> { ["SERVE_TEST_TOKEN"] = TokenText } });
        Add(server, "m.onnx");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await SendAsync("/v2/repository/models/m/load", "{}")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync("/v2/logging", """{"log_info":false}""")).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync("/v2/trace/setting", """{"trace_level":["OFF"]}""")).Status);

        using var channel = GrpcChannel.ForAddress(server.GrpcInference);
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
        var token = new Metadata { { "authorization", $"Bearer {TokenText}" } };
        Assert.NotEmpty((await client.LogSettingsAsync(new LogSettingsRequest(), token, cancellationToken: Cancellation)).Settings);
        Assert.Equal(StatusCode.PermissionDenied, (await OpenInferenceServer.FailureAsync(() => client.LogSettingsAsync(new LogSettingsRequest { Settings = { ["log_info"] = new() { BoolParam = false } } }, token))).Code);

        Task<Answer> SendAsync(string path, string json)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, Encoding.UTF8) };
            request.Headers.Authorization = new("Bearer", TokenText);
            return server.SendAsync(request);
        }
    }

    private const string TokenText = "0123456789abcdef0123456789abcdef0123456789abcdef";

    private static string Add(ServerFixture server, string file)
    {
        var path = Path.Combine(server.ModelStore, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        SmallModels.SumAndDifference(path);
        return path;
    }

    private static string Body(string config) => $$$"""{"parameters":{"config":{{{JsonSerializer.Serialize(config)}}}}}""";

    private Task<Answer> PostAsync(string path, string? json = null) => _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = json is null ? null : new StringContent(json, Encoding.UTF8) });

    private async Task LoadAsync(string model, string? config = null)
    {
        var answer = await PostAsync($"/v2/repository/models/{model}/load", config is null ? null : Body(config));
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }

    private async Task<JsonElement> IndexAsync(string? body = null) => (await PostAsync("/v2/repository/index", body)).Json;

    private static string Entry(JsonElement index, string model) => Assert.Single(index.EnumerateArray(), entry => entry.GetProperty("name").GetString() == model).GetRawText();
}
