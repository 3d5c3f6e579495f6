using System.Net;
using System.Text;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Section 1.4: what goes wrong with inference.</summary>
internal static class ErrorRows
{
    public static IEnumerable<Section> All =>
    [
        new("1.4", "Errors",
        [
            Row.Same("Every error is `{\"code\", \"type\", \"message\"}`, in this order", async s => Assert.Equal("{\n  \"code\": 404,\n  \"type\": \"ModelNotFoundException\",\n  \"message\": \"Model not found: none\"\n}\n", (await s.AskAsync("POST /predictions/none")).Text)),
            Row.Same("400 BadRequestException: \"Parameter model_name is required.\"", s => s.IsAsync("POST /invocations", 400, "Parameter model_name is required.", "BadRequestException")),
            Row.Same("400 BadRequestException: \"Parameter url is required.\"", s => s.IsAsync("M:POST /models", 400, "Parameter url is required.", "BadRequestException")),
            Row.Same("400 BadRequestException: \"Invalid RuntimeType value: X\"", s => s.IsAsync("M:POST /models?url=x&runtime=X", 400, "Invalid RuntimeType value: X", "BadRequestException")),
            Row.Same("400 BadRequestException: \"max_worker cannot be less than min_worker.\"", s => s.IsAsync("M:PUT /models/echo?min_worker=2&max_worker=1", 400, "max_worker cannot be less than min_worker.", "BadRequestException")),
            Row.Differs("400 InvalidKeyException for a token that is wrong, expired or missing", "401 with `WWW-Authenticate: Bearer`, and the same JSON.", Evidence.In<TokenTests>(nameof(TokenTests.Without_a_valid_token_everything_is_a_401_in_the_shape_of_other_errors))),
            Row.Same("400 DownloadArchiveException: \"Failed to download archive from: URL\"", async s =>
            {
                var answer = await s.IsAsync("M:POST /models?url=http%3A%2F%2F127.0.0.1%3A9%2Fx.mar", 400, error: "DownloadArchiveException");
                Assert.StartsWith("Failed to download archive from: http://127.0.0.1:9/x.mar", answer.Error.Message, StringComparison.Ordinal);
            }),
            Row.Same("400 InvalidModelException: a damaged archive", async s =>
            {
                await File.WriteAllTextAsync(Path.Combine(s.Store, "damaged.mar"), "no zip");
                await s.IsAsync("M:POST /models?url=damaged.mar", 400, error: "InvalidModelException");
                File.Delete(Path.Combine(s.Store, "damaged.mar"));
            }),
            Row.Not("400: per-model pip packages cannot be installed", "No Python runs."),
            Row.Same("403 InvalidModelVersionException: \"Cannot remove default version for model M\"", s => s.IsAsync("M:DELETE /models/headers/1.0", 403, "Cannot remove default version for model headers", "InvalidModelVersionException")),
            Row.Same("404 ResourceNotFoundException for an unknown route", s => s.IsAsync("GET /x/y/z", 404, "Requested resource is not found, please refer to API document.", "ResourceNotFoundException")),
            Row.Same("404 ModelNotFoundException: \"Model not found: M\"", s => s.IsAsync("POST /predictions/none", 404, "Model not found: none", "ModelNotFoundException")),
            Row.Same("404 ModelNotFoundException: \"Model not found at: URL\", \"empty url\", \"Relative path is not allowed in url: …\", \"Given URL … does not match any allowed URL(s)\"", async s =>
            {
                await s.IsAsync("M:POST /models?url=none.mar", 404, "Model not found at: none.mar", "ModelNotFoundException");
                await s.IsAsync("M:POST /models?url=", 404, "empty url", "ModelNotFoundException");
                await s.IsAsync("M:POST /models?url=../x.mar", 404, "Relative path is not allowed in url: ../x.mar", "ModelNotFoundException");
                Assert.StartsWith("Given URL https://evil.example.com/x.mar does not match any allowed URL(s)", (await s.IsAsync("M:POST /models?url=https%3A%2F%2Fevil.example.com%2Fx.mar", 404, error: "ModelNotFoundException")).Error.Message, StringComparison.Ordinal);
            }),
            Row.Same("404 ModelVersionNotFoundException: \"Model version: V does not exist for model: M\"", s => s.IsAsync("POST /predictions/echo/9.9", 404, "Model version: 9.9 does not exist for model: echo", "ModelVersionNotFoundException")),
            Row.Same("The same without colons from set-default", s => s.IsAsync("M:PUT /models/echo/9.9/set-default", 404, "Model version 9.9 does not exist for model echo", "ModelVersionNotFoundException")),
            Row.Later("404 WorkflowNotFoundException", "With workflows."),
            Row.Same("405 MethodNotAllowedException: \"Requested method is not allowed, please refer to API document.\"", async s => Assert.Contains("GET", (await s.IsAsync("M:PUT /models", 405, "Requested method is not allowed, please refer to API document.", "MethodNotAllowedException")).Headers["Allow"], StringComparison.Ordinal), "With `Allow`."),
            Row.Same("408 RequestTimeoutException: \"Timed out while cleaning resources: M\"", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Unregistering_that_takes_too_long_is_a_408))),
            Row.Same("409 ConflictStatusException: \"Model version V is already registered for model M\"", s => s.IsAsync("M:POST /models?url=echo/1.0", 409, "Model version 1.0 is already registered for model echo", "ConflictStatusException")),
            Row.Differs("413 without a body", "413 PayloadTooLargeException with the JSON.", s => s.IsAsync("POST /predictions/echo", 413, error: "PayloadTooLargeException", body: new string('x', 1_048_577))),
            Row.Differs("500 \"Worker died.\": a worker crashed", "Its requests run elsewhere; 500 only for the request that kills every worker, and it says so.", Evidence.In<WorkerDeathTests>(nameof(WorkerDeathTests.A_request_that_kills_workers_fails_alone))),
            Row.Differs("500 \"Worker died.\": a response timeout", "504 ResponseTimeoutException that names the timeout; the worker is replaced.", Evidence.In<WorkerDeathTests>(nameof(WorkerDeathTests.A_stuck_worker_is_replaced_and_only_what_it_held_is_late))),
            Row.Differs("503 ServiceUnavailableException, one text for no worker, a full queue and no ticket", "The same type, a text that says which, and `Retry-After`.", async s =>
            {
                var answer = await s.IsAsync("POST /predictions/idle", 503, "Model \"idle\" has no worker to serve inference request. Please use scale workers API to add workers.", "ServiceUnavailableException", "x");
                Assert.True(int.TryParse(answer.Headers["Retry-After"], out _));
            }),
            Row.Differs("503 InternalServerException \"Prediction failed\": a handler raised an exception, and its whole batch fails", "Only the request that failed: 400 where the handler blames the input, else 500 with what it said; the others of the batch are answered.", Evidence.In<BatchTests>(nameof(BatchTests.Each_request_of_a_handlers_batch_fails_alone))),
            Row.Not("503 \"Invalid model predict output\", \"number of batch response mismatched\", \"Unsupported model output data type.\"", "Each call has its own response to write to: a handler cannot answer with a list of the wrong length or type."),
            Row.Same("507 InternalServerException: out of memory in a worker", s => s.IsAsync("POST /predictions/failing", 507, error: "InternalServerException", body: "memory"), "The text says what ran out of memory."),
            Row.Same("A status of a handler's choice (`PredictionException`, for example 513)", s => s.IsAsync("POST /predictions/failing", 513, "Not today.", "InternalServerException", "513"), "`ServeException`."),
            Row.Differs("503 of `describe?customized=true` without workers: as for inference with \"describe request\"", "The version is always named, and `Retry-After` is sent.", async s => Assert.Equal("Model \"idle\" Version 1.0 has no worker to serve describe request. Please use scale workers API to add workers.", (await s.IsAsync("M:GET /models/idle?customized=true", 503, error: "ServiceUnavailableException")).Error.Message)),
            Row.Differs("Plain HTTP on an HTTPS port: 403 `{\"status\": \"This TorchServe instance only accepts HTTPS requests\"}`", "403 with the JSON of every error.", Evidence.In<TlsTests>(nameof(TlsTests.Old_versions_plain_HTTP_and_nonsense_are_refused))),
            Row.Same("A handler that answers each request of a batch with 507 and a text gives exactly that", async s =>
            {
                var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => s.AskAsync("POST /predictions/failing", "507")));
                Assert.All(answers, answer => Assert.Equal(((HttpStatusCode)507, "Invalid response"), (answer.Status, Encoding.UTF8.GetString(answer.Body))));
            }),
        ]),
    ];
}
