using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>The routes of the Open Inference Protocol that run no model. Queries mean nothing there.</summary>
internal static class ControlRoutes
{
    /// <summary>Maps them.</summary>
    /// <param name="routes">The inference listener's routes.</param>
    /// <param name="control">What they ask.</param>
    public static void MapOpenInferenceControl(this IEndpointRouteBuilder routes, ControlPlane control)
    {
        var v2 = routes.MapGroup("/v2").WithTags("Open Inference Protocol");
        v2.MapHealth(control.Health, control.Models);
        v2.MapMetadata(control.Metadata);
        v2.MapGetOfModel("/config", "How a model is served", context => ProtoJson.WriteAsync(context, control.Configurations.Of(context.Model(), context.Version())));
        v2.MapGet("models/stats", context => ProtoJson.WriteAsync(context, control.Statistics.Of(null, null))).WithSummary("What all models have done since they were loaded");
        v2.MapGetOfModel("/stats", "What a model has done since it was loaded", context => ProtoJson.WriteAsync(context, control.Statistics.Of(context.Model(), context.Version())));
        v2.MapSettings(control.Log, control.Trace, control.AllowsSettingsOverRest);
        control.RestRepository.Map(v2);
        v2.MapSharedMemory(control.SharedMemory);
    }

    /// <summary>The model that a route names.</summary>
    public static string Model(this HttpContext context) => (string)context.Request.RouteValues["model"]!;

    /// <summary>The version that it names; null: none.</summary>
    public static string? Version(this HttpContext context) => (string?)context.Request.RouteValues["version"];

    /// <summary>Maps a GET of each model, and of one of its versions.</summary>
    public static void MapGetOfModel(this IEndpointRouteBuilder routes, string ending, string summary, Func<HttpContext, Task> answer)
    {
        routes.MapGet($"models/{{model}}{ending}", new RequestDelegate(answer)).WithSummary($"{summary}: of its default version");
        routes.MapGet($"models/{{model}}/versions/{{version}}{ending}", new RequestDelegate(answer)).WithSummary($"{summary}: of one version");
    }

    private static void MapHealth(this IEndpointRouteBuilder routes, Readiness health, OpenInferenceModels models)
    {
        routes.MapGet("health/live", static context => Say(context, StatusCodes.Status200OK, "live", true)).WithSummary("Whether the server answers at all");
        routes.MapGet("health/ready", context => Say(context, health.IsReady ? StatusCodes.Status200OK : health.StatusIfNotReady, "ready", health.IsReady)).WithSummary("Whether the server takes requests");
        routes.MapGetOfModel("/ready", "Whether a model takes requests", context =>
        {
            var found = models.Find(context.Model(), context.Version());
            var isReady = health.IsModelReady(found.Name, found.Version);
            return ProtoJson.WriteAsync(context, isReady ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest, writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("name", found.Name);
                writer.WriteBoolean("ready", isReady);
                if (!isReady) writer.WriteString("error", "Model version not ready");
                writer.WriteEndObject();
            });
        });
    }

    private static void MapMetadata(this IEndpointRouteBuilder routes, MetadataReport metadata)
    {
        routes.MapGet("", context => ProtoJson.WriteAsync(context, metadata.OfServer())).WithSummary("The server's name, version and extensions");
        routes.MapGetOfModel("", "What a model takes and answers", context => ProtoJson.WriteAsync(context, metadata.OfModel(context.Model(), context.Version())));
    }

    // Triton answers nothing but the status, which its clients look at; KServe's read the body.
    private static Task Say(HttpContext context, int status, string name, bool value) => ProtoJson.WriteAsync(context, status, writer =>
    {
        writer.WriteStartObject();
        writer.WriteBoolean(name, value);
        writer.WriteEndObject();
    });
}
