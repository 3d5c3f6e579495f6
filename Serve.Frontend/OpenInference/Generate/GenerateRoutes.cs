using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Frontend.Hosting;
using Serve.Management.Http.OpenApi;

namespace Serve.Frontend.OpenInference.Generate;

/// <summary>The routes of the generate extension.</summary>
internal static class GenerateRoutes
{
    public static void MapGenerate(this IEndpointRouteBuilder routes, GenerateEndpoint endpoint)
    {
        foreach (var (path, id) in (ReadOnlySpan<(string, string)>)[("/v2/models/{model}", ""), ("/v2/models/{model}/versions/{version}", "Version")])
        {
            Map($"{path}/generate", endpoint.GenerateAsync, $"generate{id}", "Runs a model on flat JSON, and answers with its one response", "application/json", ApiShape.AnyJson);
            Map($"{path}/generate_stream", endpoint.StreamAsync, $"generateStream{id}", "Runs a model on flat JSON, and sends each response as an event", "text/event-stream", ApiShape.Text);
        }

        void Map(string pattern, RequestDelegate answer, string id, string summary, string mediaType, ApiShape shape) =>
            routes.MapPost(pattern, answer).WithTags("Open Inference Protocol").WithMetadata(ListenerPipeline.SelfContained.Instance).WithSummary(summary).Describes(new ApiOperation(id)
            {
                Verbs = ["POST"],
                Body = [new ApiContent("application/json", ApiShape.AnyJson)],
                Answers = [new(StatusCodes.Status200OK, "The outputs by their names.", new ApiContent(mediaType, shape))],
                Errors = [400, 404, 413, 500, 501, 503],
            });
    }
}
