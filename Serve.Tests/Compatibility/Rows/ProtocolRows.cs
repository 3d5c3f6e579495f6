using System.Net;
using Serve.Tests.EndToEnd;
using Serve.Tests.EndToEnd.OpenInference;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Sections 1.5 to 1.9: other protocols than TorchServe's REST.</summary>
internal static class ProtocolRows
{
    public static IEnumerable<Section> All =>
    [
        new("1.5", "KServe's payloads",
        [
            Row.Differs("`service_envelope` chooses whether bodies are unwrapped; without it `/v1` and `/v2` are `/predictions`", "The route says it: `/v1/models/{model}:predict` always speaks KServe's v1.", async s => Assert.Equal("{\"predictions\":[{\"a\":1},[2],\"three\"]}", (await s.IsAsync("POST /v1/models/echo:predict", 200, body: """{"instances": [{"a":1}, [2], "three"]}""")).Text)),
            Row.Same("v1: `{\"instances\": […]}` becomes `{\"predictions\": […]}`", async s => Assert.Equal("{\"predictions\":[1,2]}", (await s.IsAsync("POST /v1/models/echo:predict", 200, body: """{"instances": [1, 2]}""")).Text)),
            Row.Later("v1: `{\"explanations\": […]}`", "With explanations."),
            Row.Same("v2: `{\"id\", \"inputs\": […]}` becomes `{\"id\", \"model_name\", \"model_version\", \"outputs\": […]}`", Evidence.In<InferRestTests>(nameof(InferRestTests.Tensors_come_back_as_they_were_asked_for))),
            Row.Same("`GET /v1/models/{m}` on the management port: `{\"name\": m, \"ready\": bool}`", async s => Assert.Equal("{\n  \"name\": \"echo\",\n  \"ready\": true\n}\n", (await s.IsAsync("M:GET /v1/models/echo", 200)).Text), "Also on the inference port, where KServe asks."),
            Row.Differs("There, ready means that the list of workers is not empty", "It means that a worker is ready.", async s => Assert.False((await s.JsonAsync("M:GET /v1/models/idle")).GetProperty("ready").GetBoolean())),
        ]),
        new("1.6", "Open Inference Protocol",
        [
            Row.Differs("`ts_open_inference_protocol=true` switches it on", "It is always there.", Evidence.In<HealthAndMetadataTests>(nameof(HealthAndMetadataTests.Server_and_models_say_whether_they_take_requests))),
            Row.Same("`GET /v2`: the server's metadata", Evidence.In<HealthAndMetadataTests>(nameof(HealthAndMetadataTests.Metadata_tell_of_the_server_and_of_the_models_tensors))),
            Row.Same("`/v2/health/live`, `/v2/health/ready`", Evidence.In<HealthAndMetadataTests>(nameof(HealthAndMetadataTests.Server_and_models_say_whether_they_take_requests))),
            Row.Differs("`/v2/models/{m}/versions/…`: 501", "They are answered: [the whole protocol](open-inference-protocol.md).", Evidence.In<InferRestTests>(nameof(InferRestTests.Tensors_come_back_as_they_were_asked_for))),
            Row.Same("gRPC `GRPCInferenceService`: ServerLive, ServerReady, ModelReady, ModelMetadata, ModelInfer", Evidence.In<InferJsTests>(nameof(InferJsTests.Every_method_answers_a_client_in_JavaScript))),
        ]),
        new("1.7", "`/ping`",
        [
            Row.Same("200 `{\"status\": \"Healthy\"}`", s => s.IsAsync("GET /ping", 200, "Healthy")),
            Row.Same("500 `{\"status\": \"Unhealthy\"}`", s => WhileItLoadsAsync(s, 1, _ => s.IsAsync("GET /ping", 500, "Unhealthy"))),
            Row.Differs("Unhealthy if a default version has fewer healthy workers than `minWorkers`", "Partial Healthy (200) while it serves with fewer, Unhealthy (500) when it serves no more.", s => WhileItLoadsAsync(s, 2, async first =>
            {
                first.Open();
                await Eventually.BecomesAsync("one of two serves", async () => (await s.AskAsync("GET /ping")) is { Status: HttpStatusCode.OK } answer && answer.Text.Contains("Partial Healthy", StringComparison.Ordinal), isPartial => isPartial);
            })),
            Row.Differs("A model that loads or crashes is healthy for up to five minutes", "It is Unhealthy as long as no worker is ready.", s => WhileItLoadsAsync(s, 1, async gate =>
            {
                await s.IsAsync("GET /ping", 500, "Unhealthy");
                gate.Open();
                await Eventually.BecomesAsync("it is ready", async () => (await s.AskAsync("GET /ping")).Status, status => status == HttpStatusCode.OK);
            })),
            Row.Same("No models: Healthy", Evidence.In<Frontend.Hosting.OptionalListenerTests>(nameof(Frontend.Hosting.OptionalListenerTests.A_server_goes_without_grpc_when_another_program_has_the_default_addresses))),
            Row.Same("gRPC `Ping` returns the same JSON", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.Ping_says_what_REST_says))),
        ]),
        new("1.8", "gRPC",
        [
            Row.Same("`InferenceAPIsService` on 7070, `ManagementAPIsService` on 7071", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.Each_listener_answers_its_own_services_only))),
            Row.Same("`Ping`", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.Ping_says_what_REST_says))),
            Row.Same("`Predictions`: name, version, inputs by name; the prediction's bytes", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.A_picture_gets_the_answer_that_REST_gives))),
            Row.Same("`StreamPredictions`: a message for each intermediate result", Evidence.In<StreamingGrpcTests>(nameof(StreamingGrpcTests.Each_part_is_a_message_that_comes_before_the_next_one_is_made)), "A handler that answers whole gives one message."),
            Row.Later("`StreamPredictions2`: sequences with state"),
            Row.Differs("An unknown model, a missing name and a missing worker are `INTERNAL`", "`NOT_FOUND`, `INVALID_ARGUMENT` and `UNAVAILABLE`.", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.What_is_wrong_with_a_request_has_its_code_and_its_text))),
            Row.Differs("Errors of workers have the code that belongs to their HTTP status", "All errors have, with a table of Serve's own ([grpc.md](grpc.md#errors)).", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.What_is_wrong_with_a_request_has_its_code_and_its_text))),
            Row.Differs("gRPC calls are missing in the latency metrics; there is no health service and no reflection", "They are counted like REST's; both services are there.", Evidence.In<GrpcApiTests>(nameof(GrpcApiTests.Health_is_told_of_the_server_and_of_each_model_and_is_watched))),
            Row.Differs("A token in the metadata `authorization`; `PERMISSION_DENIED` without", "`UNAUTHENTICATED`.", Evidence.In<TokenTests>(nameof(TokenTests.Calls_need_them_too_but_for_health))),
        ]),
        new("1.9", "Streams, explanations, workflows",
        [
            Row.Same("REST answers in chunks as a handler sends intermediate results", Evidence.In<StreamingTests>(nameof(StreamingTests.Each_part_reaches_the_client_before_the_next_one_is_made)), "`IBatchHandler.Streams`, `HandlerCall.SendPart`."),
            Row.Not("The response has a header `ts_stream_next`", "The chunked body's own end says that nothing more comes."),
            Row.Same("Each request of a batch streams by itself", Evidence.In<StreamingTests>(nameof(StreamingTests.Streams_of_one_batch_end_one_by_one_and_free_their_places))),
            Row.Later("Explanations by Captum inside the handler"),
            Row.Later("Workflows: one leaf's bytes, or an object of several leaves'", s => s.IsAsync("POST /wfpredict/w", 404)),
        ]),
    ];

    /// <summary>Does something while a model's workers load, each until its gate is opened.</summary>
    private static async Task WhileItLoadsAsync(CompatibilityServer server, int workers, Func<Gates.Gate, Task> action)
    {
        using var gates = new Gates();
        var name = $"loads-{Guid.NewGuid():N}";
        HandlerModels.Write(server.Store, name, "SlowToLoadHandler", gates.Setting);
        await server.IsAsync($"M:POST /models?url={name}/1.0&initial_workers={workers}&synchronous=false", 202);
        try
        {
            var first = await gates.NextAsync();
            for (var i = 1; i < workers; i++) await gates.NextAsync();
            await action(first);
        }
        finally
        {
            await server.AskAsync($"M:DELETE /models/{name}");
        }
    }
}
