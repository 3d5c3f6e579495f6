using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Management.Http.OpenApi;

namespace Serve.Management.Rest;

/// <summary>TorchServe's management API.</summary>
public static class ManagementRoutes
{
    /// <summary>Maps it.</summary>
    /// <param name="routes">The management listener's routes.</param>
    /// <param name="registry">What is managed.</param>
    /// <param name="enableModelApi">Whether models may be registered and unregistered.</param>
    /// <param name="level">How much is logged.</param>
    public static void MapManagement(this IEndpointRouteBuilder routes, ModelRegistry registry, bool enableModelApi, LogLevelSwitch level)
    {
        routes.MapOpenApi("What registers, describes, scales and removes models.");
        routes.MapModelOpenApi("/models/{model}", "modelApiDescription", model => ($"RESTful Management API for: {registry.Resolve(model).Name}", $"What describes, scales and removes the model {model}."));
        routes.MapKServeModels(registry);
        var logging = new LoggingLevel(level);
        routes.MapGet("/logging", logging.GetAsync).WithTags("Logs").WithSummary("Says which level is logged").Describes(ManagementOperations.GetLogging);
        routes.MapPut("/logging", logging.PutAsync).WithTags("Logs").WithSummary("Changes which level is logged, until the server ends").Describes(ManagementOperations.SetLogging);

        var models = routes.MapGroup("/models").WithTags("Management");
        models.MapGet("", new ListModels(registry).HandleAsync).WithSummary("Lists the registered models, page by page").Describes(ManagementOperations.List);
        models.MapPost("", new RegisterModel(registry, enableModelApi).HandleAsync).WithSummary("Registers a model version").Describes(ManagementOperations.Register);

        var describe = new DescribeModel(registry);
        models.MapGet("{model}", describe.HandleAsync).WithSummary("Describes the default version").Describes(ManagementOperations.Describe("describeModel"));
        models.MapGet("{model}/{version}", describe.HandleAsync).WithSummary("Describes one version, or with \"all\" every version").Describes(ManagementOperations.Describe("describeVersion"));

        var scale = new ScaleWorkers(registry);
        models.MapPut("{model}", scale.HandleAsync).WithSummary("Changes the number of workers of the default version").Describes(ManagementOperations.Scale("scaleModel"));
        models.MapPut("{model}/{version}", scale.HandleAsync).WithSummary("Changes the number of workers of one version").Describes(ManagementOperations.Scale("scaleVersion"));
        models.MapPut("{model}/{version}/set-default", new SetDefaultVersion(registry).HandleAsync).WithSummary("Makes a version the default").Describes(ManagementOperations.SetDefault);

        models.MapGet("{model}/{version}/workers/log", new WorkerLog(registry).HandleAsync).WithSummary("Shows what the workers of a version wrote of late").Describes(ManagementOperations.WorkerLog);

        var unregister = new UnregisterModel(registry, enableModelApi);
        models.MapDelete("{model}", unregister.HandleAsync).WithSummary("Unregisters the default version").Describes(ManagementOperations.Unregister("unregisterModel"));
        models.MapDelete("{model}/{version}", unregister.HandleAsync).WithSummary("Unregisters one version").Describes(ManagementOperations.Unregister("unregisterVersion"));
    }

    internal static string Model(this HttpContext context) => (string)context.Request.RouteValues["model"]!;

    internal static string? Version(this HttpContext context) => (string?)context.Request.RouteValues["version"];
}
