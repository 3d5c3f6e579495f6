using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Models;
using Serve.Frontend.Hosting;
using Serve.Frontend.Inference.KServe;
using Serve.Management.Http.OpenApi;

namespace Serve.Frontend.Inference;

/// <summary>TorchServe's inference API. Every route leads to one data plane, <see cref="InferenceEndpoint"/>.</summary>
internal static class InferenceRoutes
{
    public static void MapInference(this IEndpointRouteBuilder routes, InferenceEndpoint endpoint, KServePredict kserve, Ping ping)
    {
        routes.Map("/ping", ping.HandleAsync).WithTags("Inference").WithSummary("The server's health").Describes(InferenceOperations.Ping);
        routes.MapPredictions(endpoint);
        routes.MapInvocations(endpoint);
        routes.Map("/v1/models/{model}:predict", kserve.HandleAsync).WithTags("KServe").WithSummary("Runs the default version for each of the instances").Describes(InferenceOperations.KServePredict);
    }

    /// <summary>
    /// Answers a request for a model that is there without going through routing, which makes a dictionary and strings of
    /// what it matches. Hot path.
    /// </summary>
    /// <returns>Null: routing may know what it is.</returns>
    public static Task? TryPredict(HttpContext context, InferenceEndpoint endpoint, ModelRegistry registry)
    {
        if (!PredictionPath.TryParse(context.Request.Path.Value, out var model, out var version) || HttpMethods.IsOptions(context.Request.Method)) return null;
        return registry.Find(model, version) is { } target ? endpoint.HandleAsync(context, target) : null;
    }

    private static void MapPredictions(this IEndpointRouteBuilder routes, InferenceEndpoint endpoint)
    {
        var predictions = routes.MapGroup("/predictions/{model}").WithTags("Inference").WithMetadata(ListenerPipeline.SelfContained.Instance);
        predictions.Map("", Predict).WithSummary("Runs the default version").Describes(InferenceOperations.Predict("predict"));
        predictions.Map("{version}", Predict).WithSummary("Runs one version").Describes(InferenceOperations.Predict("predictVersion"));
        predictions.Map("{version}/{**path}", Predict).WithSummary("Runs one version; the rest of the path goes to the handler").Describes(InferenceOperations.Predict("predictPath"));

        Task Predict(HttpContext context)
        {
            var values = context.Request.RouteValues;
            return endpoint.HandleAsync(context, new InferenceRoute((string?)values["model"], (string?)values["version"], (string?)values["path"], QueryUse.None));
        }
    }

    private static void MapInvocations(this IEndpointRouteBuilder routes, InferenceEndpoint endpoint)
    {
        routes.Map("/invocations", Invoke).WithTags("Inference").WithMetadata(ListenerPipeline.SelfContained.Instance)
            .WithSummary("SageMaker's route: the model by the query's or form's model_name, or the only one there is")
            .Describes(InferenceOperations.Invoke);

        // Multi-model endpoints of SageMaker, and the routes of the server that TorchServe came from.
        foreach (var (pattern, id, summary) in (ReadOnlySpan<(string, string, string)>)
        [
            ("/models/{model}/invoke", "invokeModel", "SageMaker's route for one of several models; query parameters are inputs"),
            ("/{model}/predict", "legacyPredict", "Runs the default version; query parameters are inputs"),
            ("/{model}/{version}/predict", "legacyPredictVersion", "Runs one version; query parameters are inputs"),
        ])
        {
            routes.Map(pattern, InvokeNamed).WithTags("Inference").WithMetadata(ListenerPipeline.SelfContained.Instance).WithSummary(summary).Describes(InferenceOperations.Predict(id));
        }

        Task Invoke(HttpContext context) => endpoint.HandleAsync(context, InferenceRoute.Invocations);

        Task InvokeNamed(HttpContext context)
        {
            var values = context.Request.RouteValues;
            return endpoint.HandleAsync(context, new InferenceRoute((string?)values["model"], (string?)values["version"], null, QueryUse.Inputs));
        }
    }
}
