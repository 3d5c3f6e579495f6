using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;

namespace Serve.Frontend.Inference;

/// <summary>TorchServe's inference API. Every route leads to one data plane, <see cref="InferenceEndpoint"/>.</summary>
internal static class InferenceRoutes
{
    public static void MapInference(
        this IEndpointRouteBuilder routes, ModelRegistry registry, ModelLoading loading, ServerConfiguration configuration, Shutdown shutdown, HttpMetrics metrics, ILoggerFactory loggers)
    {
        var endpoint = new InferenceEndpoint(registry, loading, configuration.MaxRequestSize, shutdown, metrics, loggers.CreateLogger<InferenceEndpoint>());

        routes.Map("/ping", new Ping(registry, loading, shutdown).HandleAsync).WithTags("Inference").WithSummary("The server's health");
        routes.MapPredictions(endpoint);
        routes.MapInvocations(endpoint);
    }

    private static void MapPredictions(this IEndpointRouteBuilder routes, InferenceEndpoint endpoint)
    {
        var predictions = routes.MapGroup("/predictions/{model}").WithTags("Inference").WithMetadata(ListenerPipeline.SelfContained.Instance);
        predictions.Map("", Predict).WithSummary("Runs the default version");
        predictions.Map("{version}", Predict).WithSummary("Runs one version");
        predictions.Map("{version}/{**path}", Predict).WithSummary("Runs one version; the rest of the path goes to the handler");

        Task Predict(HttpContext context)
        {
            var values = context.Request.RouteValues;
            return endpoint.HandleAsync(context, (string?)values["model"], (string?)values["version"], (string?)values["path"], QueryUse.None);
        }
    }

    private static void MapInvocations(this IEndpointRouteBuilder routes, InferenceEndpoint endpoint)
    {
        routes.Map("/invocations", Invoke).WithTags("Inference").WithMetadata(ListenerPipeline.SelfContained.Instance)
            .WithSummary("SageMaker's route: the model by the query's or form's model_name, or the only one there is");

        Task Invoke(HttpContext context) => endpoint.HandleAsync(context, model: null, version: null, path: null, QueryUse.Inputs);
    }
}
