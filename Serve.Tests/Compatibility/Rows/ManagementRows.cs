using System.Text.Json;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Section 2: the management API.</summary>
internal static class ManagementRows
{
    private const string InProgress = "Processing worker updates...";

    public static IEnumerable<Section> All => [Routes, Register, Scale, Describe, List, SetDefault, Unregister, .. ManagementRowsOfOthers.All];

    private static Section Routes => new("2.0", "Routes",
    [
        Row.Same("`POST /models`: register", s => s.IsAsync("M:POST /models", 400, "Parameter url is required.")),
        Row.Same("`GET /models`: list", s => s.IsAsync("M:GET /models", 200)),
        Row.Same("`GET /models/{m}`, `/models/{m}/{v}`, `/models/{m}/all`: describe", async s =>
        {
            Assert.Equal(["1.0"], await VersionsAsync(s, "/models/headers"));
            Assert.Equal(["2.0"], await VersionsAsync(s, "/models/headers/2.0"));
            Assert.Equal(["1.0", "2.0"], await VersionsAsync(s, "/models/headers/all"));
        }),
        Row.Same("`PUT /models/{m}`, `/models/{m}/{v}`: scale", async s =>
        {
            await s.IsAsync("M:PUT /models/echo?min_worker=1&synchronous=true", 200);
            await s.IsAsync("M:PUT /models/echo/1.0?min_worker=1&synchronous=true", 200);
        }),
        Row.Same("`PUT /models/{m}/{v}/set-default`", s => s.IsAsync("M:PUT /models/headers/1.0/set-default", 200)),
        Row.Same("`DELETE /models/{m}`, `/models/{m}/{v}`: unregister", s => s.IsAsync("M:DELETE /models/none/1.0", 404, "Model not found: none")),
        Row.Same("`OPTIONS /models/{m}`: OpenAPI of the model", async s => Assert.Equal("RESTful Management API for: echo", (await s.JsonAsync("M:OPTIONS /models/echo")).GetProperty("info").GetProperty("title").GetString())),
        Row.Same("`OPTIONS /`, `/api-description`", async s => Assert.Equal((await s.AskAsync("M:OPTIONS /")).Text, (await s.AskAsync("M:GET /api-description")).Text)),
        Row.Same("`GET /v1/models/{m}`", s => s.IsAsync("M:GET /v1/models/echo", 200)),
        Row.Same("`GET /token?type=…` makes a new token", Evidence.In<KeyFileTests>(nameof(KeyFileTests.Tokens_are_made_renewed_and_removed)), "Where there is a `keyFile`."),
        Row.Later("`/workflows`", s => s.IsAsync("M:GET /workflows", 404)),
        Row.Same("Success is `{\"status\": \"…\"}`", async s => Assert.Equal($"{{\n  \"status\": \"{InProgress}\"\n}}\n", (await s.IsAsync("M:PUT /models/echo?min_worker=1", 202)).Text)),
        Row.Same("`POST /models/{m}` and `PUT /models` are 405", async s =>
        {
            await s.IsAsync("M:POST /models/echo", 405, error: "MethodNotAllowedException");
            await s.IsAsync("M:PUT /models", 405, error: "MethodNotAllowedException");
        }),
        Row.Same("There is no route to reload a model: one registers another version and makes it the default", Evidence.In<ScalingTests>(nameof(ScalingTests.Changing_the_default_version_under_load_fails_no_request))),
    ]);

    private static Section Register => new("2.1", "`POST /models`: register",
    [
        Row.Same("Parameters in the query", s => s.WithModelAsync("by-query", "EchoHandler", "", () => Task.CompletedTask)),
        Row.Same("Or in a JSON body, by the same names", async s =>
        {
            HandlerModels.Write(s.Store, "by-json", "EchoHandler");
            await s.IsAsync("M:POST /models", 200, "Model \"by-json\" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the model.", body: """{"url": "by-json/1.0", "initial_workers": 0}""", type: "application/json");
            await s.IsAsync("M:DELETE /models/by-json", 200);
        }),
        Row.Same("`url`: a file of the model store", s => s.IsAsync("M:POST /models?url=none.mar", 404, "Model not found at: none.mar"), "Or a folder of it."),
        Row.Differs("`url`: `file://`, `http(s)://` anywhere", "Only what `allowedUrls` matches, and no private addresses unless `allowedPrivateHosts` names the host.", s => s.IsAsync("M:POST /models?url=file%3A%2F%2F%2Fetc%2Fpasswd", 404, error: "ModelNotFoundException")),
        Row.Not("`url`: S3, with `s3_sse_kms`", "A pre-signed `https://` URL does it without the server having keys; the parameter is accepted."),
        Row.Same("`url` missing: 400; empty: 404 \"empty url\"", async s =>
        {
            await s.IsAsync("M:POST /models", 400, "Parameter url is required.");
            await s.IsAsync("M:POST /models?url=", 404, "empty url");
        }),
        Row.Same("`model_name`: without it, the manifest's", s => WithAsync(s, "named", "&model_name=other", "other", _ => Task.CompletedTask)),
        Row.Differs("`handler`: not checked until a worker loads", "A handler that there cannot be is a 400 at once.", async s =>
        {
            HandlerModels.Write(s.Store, "wrong-handler", "EchoHandler");
            await s.IsAsync("M:POST /models?url=wrong-handler/1.0&handler=nonsense", 400);
        }),
        Row.Same("`runtime`: `python`, `python3`, `LSP`, else 400", async s =>
        {
            await s.IsAsync("M:POST /models?url=none.mar&runtime=python3", 404);
            await s.IsAsync("M:POST /models?url=none.mar&runtime=ruby", 400, "Invalid RuntimeType value: ruby");
        }, "It has no effect."),
        Row.Same("`batch_size` (1), `max_batch_delay` (100 ms)", s => WithAsync(s, "batched", "&batch_size=3&max_batch_delay=250", "batched", version => Are(version, ("batchSize", 3), ("maxBatchDelay", 250)))),
        Row.Same("Their defaults", s => WithAsync(s, "unbatched", "", "unbatched", version => Are(version, ("batchSize", 1), ("maxBatchDelay", 100)))),
        Row.Same("`initial_workers`: 0", s => WithAsync(s, "lazy", "", "lazy", version => Are(version, ("minWorkers", 0)))),
        Row.Same("`synchronous`: true over REST", s => s.WithModelAsync("waited", "EchoHandler", "", async () => Assert.Equal("READY", (await s.DescribeAsync("waited")).GetProperty("workers")[0].GetProperty("status").GetString()))),
        Row.Same("`response_timeout`, `startup_timeout`: -1 means the server's defaults", s => WithAsync(s, "timed", "&response_timeout=-1&startup_timeout=-1", "timed", version => Are(version, ("responseTimeout", 33), ("startupTimeout", 44)))),
        Row.Differs("A number that is none becomes the default; what is not \"true\" is false", "400 that names parameter and value.", async s =>
        {
            await s.IsAsync("M:POST /models?url=x&batch_size=dd", 400, "Parameter batch_size must be a whole number, not \"dd\".");
            await s.IsAsync("M:POST /models?url=x&synchronous=yes", 400, "Parameter synchronous must be true or false, not \"yes\".");
        }),
        Row.Same("Unknown parameters are ignored", s => s.IsAsync("M:POST /models?url=none.mar&colour=red", 404, "Model not found at: none.mar")),
        Row.Same("A parameter goes before the archive's `model-config.yaml`", s => WithAsync(s, "configured", "&batch_size=5", "configured", version => Are(version, ("batchSize", 5), ("responseTimeout", 7)), "batchSize: 2\nresponseTimeout: 7")),
        Row.Differs("`minWorkers` of the yaml goes before `initial_workers`", "The parameter goes first, as the others do.", s => WithAsync(s, "workers", "", "workers", version => Are(version, ("minWorkers", 0)), "minWorkers: 1\nmaxWorkers: 1")),
        Row.Same("The first version of a name is its default; later ones are not", async s => Assert.Equal("1.0", (await s.DescribeAsync("headers")).GetProperty("modelVersion").GetString())),
        Row.Same("200 `Model \"M\" Version: V registered with 0 initial workers. Use scale workers API to add workers for the model.`", async s =>
        {
            HandlerModels.Write(s.Store, "zero", "EchoHandler");
            await s.IsAsync("M:POST /models?url=zero/1.0&initial_workers=0", 200, "Model \"zero\" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the model.");
            await s.IsAsync("M:DELETE /models/zero", 200);
        }),
        Row.Same("200 `Model \"M\" Version: V registered with N initial workers`", async s =>
        {
            HandlerModels.Write(s.Store, "one", "EchoHandler");
            await s.IsAsync("M:POST /models?url=one/1.0&initial_workers=1&synchronous=true", 200, "Model \"one\" Version: 1.0 registered with 1 initial workers");
            await s.IsAsync("M:DELETE /models/one", 200);
        }),
        Row.Same("202 `Processing worker updates...` (asynchronous)", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Asynchronous_calls_are_answered_before_the_workers_are_there_and_synchronous_ones_after)), "Before the workers are there."),
        Row.Not("206 `Workers scaling in progress...`", "A rare state of TorchServe's own code."),
        Row.Differs("500 `Failed to start workers for model M version: V`; the model is unregistered again", "500 (400 where the model is at fault) with the reason; likewise unregistered.", Evidence.In<BadModelTests>(nameof(BadModelTests.A_model_that_cannot_be_served_is_refused_with_the_reason_and_leaves_nothing))),
        Row.Same("500 `Model file already exists F.mar`", Evidence.In<SnapshotTests>(nameof(SnapshotTests.A_model_from_another_machine_is_kept_as_long_as_it_is_registered))),
        Row.Differs("500 `Failed to save model: URL`", "400 DownloadArchiveException with the reason.", Evidence.In<SnapshotTests>(nameof(SnapshotTests.A_model_from_another_machine_is_kept_as_long_as_it_is_registered))),
        Row.Same("409 `Model version V is already registered for model M`", s => s.IsAsync("M:POST /models?url=echo/1.0", 409, "Model version 1.0 is already registered for model echo", "ConflictStatusException")),
        Row.Same("404 `Model not found at: URL`, `Relative path is not allowed in url: URL`", async s =>
        {
            await s.IsAsync("M:POST /models?url=none.mar", 404, "Model not found at: none.mar", "ModelNotFoundException");
            await s.IsAsync("M:POST /models?url=a/../../b.mar", 404, "Relative path is not allowed in url: a/../../b.mar", "ModelNotFoundException");
        }),
        Row.Not("404 `Model store has not been configured.`", "There always is one (`modelStore`)."),
        Row.Same("404 `Given URL URL does not match any allowed URL(s)`", async s => Assert.StartsWith("Given URL https://evil.example.com/x.mar does not match any allowed URL(s)", (await s.IsAsync("M:POST /models?url=https%3A%2F%2Fevil.example.com%2Fx.mar", 404)).Error.Message, StringComparison.Ordinal)),
        Row.Same("400 `Failed to download archive from: URL`", s => s.IsAsync("M:POST /models?url=http%3A%2F%2F127.0.0.1%3A9%2Fx.mar", 400, error: "DownloadArchiveException")),
        Row.Not("400: per-model pip packages cannot be installed", "No Python runs."),
        Row.Same("507: no memory to load it", async s =>
        {
            HandlerModels.Write(s.Store, "hungry", "HungryHandler", "maxRetries: 0");
            Assert.StartsWith("Failed to start workers for model hungry version: 1.0: ", (await s.IsAsync("M:POST /models?url=hungry&initial_workers=1&synchronous=true", 507)).Error.Message, StringComparison.Ordinal);
        }, "Also by scaling."),
        Row.Same("405 while the API is switched off", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Registering_and_unregistering_can_be_switched_off))),
    ]);

    private static Section Scale => new("2.2", "`PUT /models/{m}`: scale",
    [
        Row.Same("`min_worker` (1), `max_worker` (`min_worker`), `synchronous` (false)", s => s.WithModelAsync("scaled", "EchoHandler", "", async () =>
        {
            await s.IsAsync("M:PUT /models/scaled", 202, InProgress);
            await Are(await s.DescribeAsync("scaled"), ("minWorkers", 1), ("maxWorkers", 1));
        }, workers: 0)),
        Row.Same("`model_version` instead of the path", s => s.IsAsync("M:PUT /models/headers?model_version=2.0&min_worker=1&synchronous=true", 200, "Workers scaled to 1 for model: headers, version: 2.0")),
        Row.Same("`number_gpu` and `timeout` have no effect", s => s.IsAsync("M:PUT /models/echo?min_worker=1&number_gpu=9&timeout=0", 202, InProgress)),
        Row.Same("202 `Processing worker updates...`; synchronous 200 `Workers scaled to N for model: M`", async s =>
        {
            await s.IsAsync("M:PUT /models/echo?min_worker=1", 202, InProgress);
            await s.IsAsync("M:PUT /models/echo?min_worker=1&synchronous=true", 200, "Workers scaled to 1 for model: echo");
        }),
        Row.Same("400 `max_worker cannot be less than min_worker.`, also for `max_worker=-1` alone", s => s.IsAsync("M:PUT /models/echo?max_worker=-1", 400, "max_worker cannot be less than min_worker.", "BadRequestException")),
        Row.Differs("`min_worker=-1`: 500", "400 that names it.", s => s.IsAsync("M:PUT /models/echo?min_worker=-1", 400, "Parameter min_worker must be at least 0, not -1.")),
        Row.Same("`min_worker=0` stops all workers; predictions are then 503", s => s.WithModelAsync("stopped", "EchoHandler", "", async () =>
        {
            await s.IsAsync("M:PUT /models/stopped?min_worker=0&synchronous=true", 200, "Workers scaled to 0 for model: stopped");
            await s.IsAsync("POST /predictions/stopped", 503, error: "ServiceUnavailableException", body: "x");
        })),
        Row.Differs("A number that is none becomes the default", "400 that names it.", s => s.IsAsync("M:PUT /models/echo?min_worker=two", 400, "Parameter min_worker must be a whole number, not \"two\".")),
        Row.Differs("Workers that do not start: 500 `Failed to start workers for model M version: V`", "An error with the reason.", Evidence.In<BadModelTests>(nameof(BadModelTests.A_failed_model_that_was_mended_serves_after_scaling))),
        Row.Same("404 for an unknown model or version", async s =>
        {
            await s.IsAsync("M:PUT /models/none?min_worker=1", 404, "Model not found: none");
            await s.IsAsync("M:PUT /models/echo/9.9?min_worker=1", 404, "Model version: 9.9 does not exist for model: echo");
        }),
        Row.Same("The number of workers stays at `min_worker`", s => s.WithModelAsync("ranged", "EchoHandler", "", async () =>
        {
            await s.IsAsync("M:PUT /models/ranged?min_worker=1&max_worker=3&synchronous=true", 200);
            Assert.Equal(1, (await s.DescribeAsync("ranged")).GetProperty("workers").GetArrayLength());
        })),
    ]);

    private static Section Describe => new("2.3", "`GET /models/{m}`: describe",
    [
        Row.Same("A list, one element a version", async s => Assert.Equal(["1.0", "2.0"], await VersionsAsync(s, "/models/headers/all"))),
        Row.Same("TorchServe's fields in TorchServe's order, null fields left out", async s =>
        {
            string[] fields = ["modelName", "modelVersion", "modelUrl", "runtime", "minWorkers", "maxWorkers", "batchSize", "maxBatchDelay", "responseTimeout", "startupTimeout", "maxRetryTimeoutInSec", "clientTimeoutInMills", "parallelType", "parallelLevel", "deviceType", "continuousBatching", "useJobTicket", "useVenv", "stateful", "sequenceMaxIdleMSec", "sequenceTimeoutMSec", "maxNumSequence", "maxSequenceJobQueueSize", "loadedAtStartup", "workers", "jobQueueStatus"];
            Assert.Equal(fields, (await s.DescribeAsync("echo")).EnumerateObject().Select(property => property.Name).Take(fields.Length));
        }, "Serve's own come after them."),
        Row.Differs("`runtime`: python", "dotnet.", async s => Assert.Equal("dotnet", (await s.DescribeAsync("echo")).GetProperty("runtime").GetString())),
        Row.Same("`jobQueueStatus`: `remainingCapacity`, `pendingRequests`", async s =>
        {
            var queue = (await s.DescribeAsync("echo")).GetProperty("jobQueueStatus");
            Assert.Equal((77, 0), (queue.GetProperty("remainingCapacity").GetInt32(), queue.GetProperty("pendingRequests").GetInt32()));
        }),
        Row.Same("`workers`: `id`, `startTime` (ISO 8601, milliseconds, `Z`), `status`, `memoryUsage`, `pid`, `gpu`, `gpuUsage`", async s =>
        {
            var worker = (await s.DescribeAsync("echo")).GetProperty("workers")[0];
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", worker.GetProperty("startTime").GetString());
            Assert.True(int.TryParse(worker.GetProperty("id").GetString(), out _));
            Assert.Equal(("READY", false, "N/A"), (worker.GetProperty("status").GetString(), worker.GetProperty("gpu").GetBoolean(), worker.GetProperty("gpuUsage").GetString()));
            Assert.True(worker.GetProperty("pid").GetInt32() > 1 && worker.GetProperty("memoryUsage").GetInt64() >= 0);
        }),
        Row.Differs("A worker that loads is UNLOADING", "LOADING.", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Asynchronous_calls_are_answered_before_the_workers_are_there_and_synchronous_ones_after))),
        Row.Same("`customized=true` adds what the handler's describe function says as `customizedMetadata`; nothing if it has none", Evidence.In<DescribeHandlerTests>(nameof(DescribeHandlerTests.A_handler_says_how_it_is_now)), "`IDescribesItself`."),
        Row.Same("`customized=true` without a worker: 503", s => s.IsAsync("M:GET /models/idle?customized=true", 503, error: "ServiceUnavailableException")),
        Row.Same("404 for an unknown model or version", async s =>
        {
            await s.IsAsync("M:GET /models/none", 404, "Model not found: none", "ModelNotFoundException");
            await s.IsAsync("M:GET /models/echo/9.9", 404, "Model version: 9.9 does not exist for model: echo", "ModelVersionNotFoundException");
        }),
    ]);

    private static Section List => new("2.4", "`GET /models`: list",
    [
        Row.Same("`limit` (100), `next_page_token` (0); names in order, default versions only", async s =>
        {
            var page = await s.JsonAsync("M:GET /models?limit=2&next_page_token=1");
            Assert.Equal(["failing", "fashion-vit"], NamesOf(page));
            Assert.Equal(["echo", "failing", "fashion-vit", "headers", "idle"], NamesOf(await s.JsonAsync("M:GET /models")));
        }),
        Row.Same("`{\"nextPageToken\", \"models\": [{\"modelName\", \"modelUrl\"}]}`", async s => Assert.Equal("{\n  \"nextPageToken\": \"1\",\n  \"models\": [\n    {\n      \"modelName\": \"echo\",\n      \"modelUrl\": \"echo/1.0\"\n    }\n  ]\n}\n", (await s.IsAsync("M:GET /models?limit=1", 200)).Text)),
        Row.Same("`limit` above 100 is 100", s => s.IsAsync("M:GET /models?limit=1000", 200)),
        Row.Differs("A negative or unparsable `limit` or token becomes the default", "400 that names it.", async s =>
        {
            await s.IsAsync("M:GET /models?limit=-1", 400, "Parameter limit must be at least 0, not -1.");
            await s.IsAsync("M:GET /models?next_page_token=x", 400, "Parameter next_page_token must be a whole number, not \"x\".");
        }),
        Row.Differs("`nextPageToken` also when the page ends at the last element", "None after the last page.", async s => Assert.False((await s.JsonAsync("M:GET /models?limit=5")).TryGetProperty("nextPageToken", out _))),
        Row.Same("A token beyond the end: an empty list", async s => Assert.Empty(NamesOf(await s.JsonAsync("M:GET /models?next_page_token=900")))),
        Row.Same("`limit=0`: an empty page with token \"0\"", async s =>
        {
            var page = await s.JsonAsync("M:GET /models?limit=0");
            Assert.Equal(("0", 0), (page.GetProperty("nextPageToken").GetString(), page.GetProperty("models").GetArrayLength()));
        }),
    ]);

    private static Section SetDefault => new("2.5", "`PUT /models/{m}/{v}/set-default`",
    [
        Row.Same("200 `Default version successfully updated for model \"M\" to \"V\"`", async s =>
        {
            await s.IsAsync("M:PUT /models/headers/2.0/set-default", 200, "Default version successfully updated for model \"headers\" to \"2.0\"");
            Assert.Equal(["2.0"], await VersionsAsync(s, "/models/headers"));
            await s.IsAsync("M:PUT /models/headers/1.0/set-default", 200, "Default version successfully updated for model \"headers\" to \"1.0\"");
        }),
        Row.Same("404 `Model not found: M`, `Model version V does not exist for model M`", async s =>
        {
            await s.IsAsync("M:PUT /models/none/1.0/set-default", 404, "Model not found: none");
            await s.IsAsync("M:PUT /models/headers/9.9/set-default", 404, "Model version 9.9 does not exist for model headers");
        }),
    ]);

    private static Section Unregister => new("2.6", "`DELETE /models/{m}`: unregister",
    [
        Row.Same("200 `Model \"M\" unregistered`; `synchronous` and `timeout` are ignored, a slash at the end is tolerated", async s =>
        {
            HandlerModels.Write(s.Store, "gone", "EchoHandler");
            await s.IsAsync("M:POST /models?url=gone/1.0&initial_workers=0", 200);
            await s.IsAsync("M:DELETE /models/gone/?synchronous=false&timeout=1", 200, "Model \"gone\" unregistered");
            await s.IsAsync("M:GET /models/gone", 404);
        }),
        Row.Same("Without a version: the default one", s => s.IsAsync("M:DELETE /models/headers", 403, "Cannot remove default version for model headers")),
        Row.Same("404 as above", async s =>
        {
            await s.IsAsync("M:DELETE /models/none", 404, "Model not found: none", "ModelNotFoundException");
            await s.IsAsync("M:DELETE /models/echo/9.9", 404, "Model version: 9.9 does not exist for model: echo", "ModelVersionNotFoundException");
        }),
        Row.Same("403 `Cannot remove default version for model M` while there are others", s => s.IsAsync("M:DELETE /models/headers/1.0", 403, "Cannot remove default version for model headers", "InvalidModelVersionException")),
        Row.Same("408 `Timed out while cleaning resources: M` after `unregister_model_timeout`", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Unregistering_that_takes_too_long_is_a_408))),
        Row.Not("500 `Interrupted while cleaning resources: M`", "Nothing interrupts it."),
        Row.Differs("Workers are killed at once", "Accepted requests are finished first.", Evidence.In<ScalingTests>(nameof(ScalingTests.Unregistering_under_load_answers_what_was_accepted))),
        Row.Same("What was downloaded is removed from the store, and nothing else", Evidence.In<SnapshotTests>(nameof(SnapshotTests.A_model_from_another_machine_is_kept_as_long_as_it_is_registered))),
    ]);

    /// <summary>Registers a model with more parameters and no workers, looks at how it is described, and removes it.</summary>
    private static async Task WithAsync(CompatibilityServer server, string folder, string parameters, string name, Func<JsonElement, Task> check, string settings = "")
    {
        HandlerModels.Write(server.Store, folder, "EchoHandler", settings);
        await server.IsAsync($"M:POST /models?url={folder}/1.0&initial_workers=0{parameters}", 200);
        await check(await server.DescribeAsync(name));
        await server.IsAsync($"M:DELETE /models/{name}", 200);
    }

    private static Task Are(JsonElement version, params (string Name, int Value)[] numbers)
    {
        Assert.All(numbers, number => Assert.Equal(number.Value, version.GetProperty(number.Name).GetInt32()));
        return Task.CompletedTask;
    }

    private static async Task<IEnumerable<string?>> VersionsAsync(CompatibilityServer server, string path) =>
        (await server.JsonAsync($"M:GET {path}")).EnumerateArray().Select(version => version.GetProperty("modelVersion").GetString());

    private static IEnumerable<string?> NamesOf(JsonElement page) => page.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("modelName").GetString());
}
