using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Models;

namespace Serve.Management.Rest;

/// <summary>TorchServe's management API.</summary>
public static class ManagementRoutes
{
    /// <summary>Maps it.</summary>
    /// <param name="routes">The management listener's routes.</param>
    /// <param name="registry">What is managed.</param>
    /// <param name="enableModelApi">Whether models may be registered and unregistered.</param>
    public static void MapManagement(this IEndpointRouteBuilder routes, ModelRegistry registry, bool enableModelApi)
    {
        routes.MapKServeModels(registry);
        var models = routes.MapGroup("/models").WithTags("Management");
        models.MapGet("", new ListModels(registry).HandleAsync).WithSummary("Lists the registered models, page by page");
        models.MapPost("", new RegisterModel(registry, enableModelApi).HandleAsync).WithSummary("Registers a model version from the model store");

        var describe = new DescribeModel(registry);
        models.MapGet("{model}", describe.HandleAsync).WithSummary("Describes the default version");
        models.MapGet("{model}/{version}", describe.HandleAsync).WithSummary("Describes one version, or with \"all\" every version");

        var scale = new ScaleWorkers(registry);
        models.MapPut("{model}", scale.HandleAsync).WithSummary("Changes the number of workers of the default version");
        models.MapPut("{model}/{version}", scale.HandleAsync).WithSummary("Changes the number of workers of one version");
        models.MapPut("{model}/{version}/set-default", new SetDefaultVersion(registry).HandleAsync).WithSummary("Makes a version the default");

        var unregister = new UnregisterModel(registry, enableModelApi);
        models.MapDelete("{model}", unregister.HandleAsync).WithSummary("Unregisters the default version");
        models.MapDelete("{model}/{version}", unregister.HandleAsync).WithSummary("Unregisters one version");
    }

    internal static string Model(this HttpContext context) => (string)context.Request.RouteValues["model"]!;

    internal static string? Version(this HttpContext context) => (string?)context.Request.RouteValues["version"];
}
