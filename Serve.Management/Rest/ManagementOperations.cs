using Microsoft.AspNetCore.Http;
using Serve.Management.Http;
using Serve.Management.Http.OpenApi;

namespace Serve.Management.Rest;

/// <summary>What the management API takes and answers, for its OpenAPI document.</summary>
internal static class ManagementOperations
{
    private static readonly ApiParameter Synchronous = new("synchronous", ApiType.Boolean, "Whether the answer waits for the workers.");

    public static ApiOperation List { get; } = new("listModels")
    {
        Parameters =
        [
            new("limit", ApiType.Integer, "Models on a page, at most 100, which is the default."),
            new("next_page_token", ApiType.Integer, "The token that came with the page before."),
        ],
        Answers = [new(StatusCodes.Status200OK, "A page of models.", ApiContent.Of(ManagementJson.Default.ModelList))],
        Errors = [400],
    };

    public static ApiOperation Register { get; } = new("registerModel")
    {
        // Not marked as required: a JSON body may have it.
        Parameters =
        [
            new("url", ApiType.String, "What to register: a name or archive of the model store, or a URL that allowedUrls permits. Required."),
            new("model_name", ApiType.String, "The model's name; without it, the archive's or folder's."),
            new("handler", ApiType.String, "The handler, instead of the model's own."),
            new("runtime", ApiType.String, "python, python3, LSP or dotnet; without effect."),
            new("batch_size", ApiType.Integer, "The most requests in a batch."),
            new("max_batch_delay", ApiType.Integer, "Milliseconds that an incomplete batch waits, where batching is delayed."),
            new("initial_workers", ApiType.Integer, "Workers to start with; 0 registers without serving."),
            Synchronous,
            new("response_timeout", ApiType.Integer, "Seconds; -1 means the default."),
            new("startup_timeout", ApiType.Integer, "Seconds; -1 means the default."),
            new("sha256", ApiType.String, "The SHA-256 that the archive must have, in hexadecimal digits."),
            new("s3_sse_kms", ApiType.Boolean, "Without effect."),
        ],
        TakesParametersAsJson = true,
        Answers = [Status(200, "The model is registered, and its workers are ready."), Status(202, "The workers start.")],
        Errors = [400, 404, 405, 409, 500, 507],
    };

    public static ApiOperation GetLogging { get; } = new("getLogging")
    {
        Answers = [new(StatusCodes.Status200OK, "The level.", ApiContent.Of(ManagementJson.Default.LoggingBody))],
    };

    public static ApiOperation SetLogging { get; } = new("setLogging")
    {
        Parameters = [new("level", ApiType.String, "trace, debug, information, warning or error. Required.")],
        TakesParametersAsJson = true,
        Answers = [new(StatusCodes.Status200OK, "The level.", ApiContent.Of(ManagementJson.Default.LoggingBody))],
        Errors = [400],
    };

    public static ApiOperation SetDefault { get; } = new("setDefault")
    {
        Answers = [Status(200, "The version is the default.")],
        Errors = [404],
    };

    public static ApiOperation WorkerLog { get; } = new("workerLog")
    {
        Parameters = [new("lines", ApiType.Integer, "Lines of each worker, at most 200; default 50.")],
        Answers = [new(StatusCodes.Status200OK, "The last lines of each worker, and of the last one that was lost.", ApiContent.Of(ManagementJson.Default.WorkerLogBody))],
        Errors = [400, 404],
    };

    public static ApiOperation Describe(string id) => new(id)
    {
        Parameters = [new("customized", ApiType.Boolean, "Whether the handler is asked what it has to say about itself.")],
        Answers = [new(StatusCodes.Status200OK, "One element a version.", ApiContent.Of(ManagementJson.Default.ListVersionBody))],
        Errors = [404, 503],
    };

    public static ApiOperation Scale(string id) => new(id)
    {
        Parameters =
        [
            new("min_worker", ApiType.Integer, "The fewest workers; default 1."),
            new("max_worker", ApiType.Integer, "The most workers; default min_worker."),
            new("number_gpu", ApiType.Integer, "Without effect, as in TorchServe."),
            Synchronous,
            new("timeout", ApiType.Integer, "Without effect, as in TorchServe."),
            new("model_version", ApiType.String, "The version, where the path names none."),
        ],
        TakesParametersAsJson = true,
        Answers = [Status(200, "The workers are there."), Status(202, "Workers start or leave.")],
        Errors = [400, 404, 500],
    };

    public static ApiOperation Unregister(string id) => new(id)
    {
        Answers = [Status(200, "The version is gone.")],
        Errors = [403, 404, 405, 408],
    };

    private static ApiAnswer Status(int status, string description) => new(status, description, ApiContent.Of(HttpJson.Default.StatusBody));
}
