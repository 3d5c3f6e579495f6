using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Models;
using Serve.Frontend.Hosting;
using Serve.Management.Http.OpenApi;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>The routes of the Open Inference Protocol that run a model and answer once.</summary>
internal static class InferRoutes
{
    /// <summary>Maps them.</summary>
    public static void MapOpenInferenceInfer(this IEndpointRouteBuilder routes, InferEndpoint endpoint)
    {
        foreach (var (pattern, id, summary) in (ReadOnlySpan<(string, string, string)>)
        [
            ("/v2/models/{model}/infer", "infer", "Runs the default version on tensors"),
            ("/v2/models/{model}/versions/{version}/infer", "inferVersion", "Runs one version on tensors"),
        ])
        {
            routes.MapPost(pattern, Infer).WithTags("Open Inference Protocol").WithMetadata(ListenerPipeline.SelfContained.Instance).WithSummary(summary).Describes(Describe(id));
        }

        Task Infer(HttpContext context)
        {
            var values = context.Request.RouteValues;
            return endpoint.HandleAsync(context, (string)values["model"]!, (string?)values["version"]);
        }
    }

    /// <summary>Answers a request for a model that is there without going through routing. Hot path.</summary>
    /// <returns>Null: routing may know what it is.</returns>
    public static Task? TryInfer(HttpContext context, InferEndpoint endpoint, ModelRegistry registry)
    {
        if (!InferPath.TryParse(context.Request.Path.Value, out var model, out var version) || !HttpMethods.IsPost(context.Request.Method)) return null;
        return registry.Find(model, version) is { } target ? endpoint.HandleAsync(context, target) : null;
    }

    private static ApiOperation Describe(string id) => new(id)
    {
        Verbs = ["POST"],
        Body = [new ApiContent("application/json", ApiShape.AnyJson), new ApiContent("application/octet-stream", ApiShape.Binary)],
        Answers =
        [
            new(StatusCodes.Status200OK, "The outputs: as JSON, or with binary tensors behind the JSON, whose length is in Inference-Header-Content-Length.", new ApiContent("application/json", ApiShape.AnyJson)),
        ],
        Errors = [400, 404, 413, 500, 501, 503],
    };
}
