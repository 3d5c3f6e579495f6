using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Frontend.Hosting;
using Serve.Management.Http.OpenApi;

namespace Serve.Frontend.Inference;

/// <summary>
/// <c>/predictions/…</c> on the management listener, for the web console: its page asks no other origin than its own. Under
/// the management listener's tokens, which open inference as well.
/// </summary>
internal static class ConsolePredictions
{
    public static void MapConsolePredictions(this IEndpointRouteBuilder routes, InferenceEndpoint endpoint)
    {
        var predictions = routes.MapGroup("/console/predictions/{model}").WithTags("Console").WithMetadata(ListenerPipeline.SelfContained.Instance);
        predictions.MapPost("", Predict).WithSummary("Runs the default version, as the inference listener does").Describes(Operation("consolePredict"));
        predictions.MapPost("{version}", Predict).WithSummary("Runs one version, as the inference listener does").Describes(Operation("consolePredictVersion"));

        Task Predict(HttpContext context)
        {
            var values = context.Request.RouteValues;
            return endpoint.HandleAsync(context, new InferenceRoute((string?)values["model"], (string?)values["version"], null, QueryUse.None));
        }
    }

    private static ApiOperation Operation(string id) => InferenceOperations.Predict(id) with { Verbs = ["POST"] };
}
