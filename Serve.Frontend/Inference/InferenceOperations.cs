using Microsoft.AspNetCore.Http;
using Serve.Management.Http;
using Serve.Management.Http.OpenApi;

namespace Serve.Frontend.Inference;

/// <summary>What the inference API takes and answers, for its OpenAPI document.</summary>
internal static class InferenceOperations
{
    private static readonly ApiContent AnyBytes = new("application/octet-stream", ApiShape.Binary);
    private static readonly ApiContent AnyJson = new("application/json", ApiShape.AnyJson);
    private static readonly ApiContent Multipart = new("multipart/form-data", ApiShape.Files);
    private static readonly ApiContent Form = new("application/x-www-form-urlencoded", ApiShape.Fields);
    private static readonly ApiAnswer Answer = new(StatusCodes.Status200OK, "What the handler answers, with the media type that it names. It may choose another status.", new ApiContent("*/*", ApiShape.Binary));

    public static ApiOperation Ping { get; } = new("ping")
    {
        Answers =
        [
            new(StatusCodes.Status200OK, "Healthy, or Partial Healthy.", ApiContent.Of(HttpJson.Default.StatusBody)),
            new(StatusCodes.Status500InternalServerError, "Unhealthy.", ApiContent.Of(HttpJson.Default.StatusBody)),
        ],
    };

    public static ApiOperation Invoke { get; } = Predict("invoke") with
    {
        Parameters = [new("model_name", ApiType.String, "The model. Without it, a form's field of this name, or the only model that there is.")],
    };

    public static ApiOperation KServePredict { get; } = new("kservePredict")
    {
        Verbs = ["POST"],
        Body = [AnyJson],
        Answers = [new(StatusCodes.Status200OK, "The predictions.", AnyJson)],
        Errors = [400, 404, 413, 500, 503, 504, 507],
    };

    public static ApiOperation Probe(string id) => new(id)
    {
        Answers =
        [
            new(StatusCodes.Status200OK, "Yes.", ApiContent.Of(HttpJson.Default.StatusBody)),
            new(StatusCodes.Status503ServiceUnavailable, "Not yet, or no more.", ApiContent.Of(HttpJson.Default.StatusBody)),
        ],
    };

    public static ApiOperation Predict(string id) => new(id)
    {
        Verbs = ["POST", "PUT"],
        Body = [AnyBytes, AnyJson, Multipart, Form],
        Answers = [Answer],
        Errors = [400, 404, 408, 413, 500, 503, 504, 507],
    };
}
