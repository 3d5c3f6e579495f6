using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Http;
using Serve.Management.Http.OpenApi;

namespace Serve.Management.Rest;

/// <summary>
/// What KServe's v1 protocol asks about models. TorchServe answers it on the management listener; KServe itself asks where it
/// sends predictions, so the inference listener has it too.
/// </summary>
public static class KServeModels
{
    /// <summary>Maps <c>GET /v1/models</c> and <c>GET /v1/models/{model}</c>.</summary>
    /// <param name="routes">A listener's routes.</param>
    /// <param name="registry">The models.</param>
    public static void MapKServeModels(this IEndpointRouteBuilder routes, ModelRegistry registry)
    {
        var models = routes.MapGroup("/v1/models").WithTags("KServe");
        models.MapGet("", context => PrettyJson.WriteAsync(context, StatusCodes.Status200OK, new KServeModelList(registry.Names), ManagementJson.Default.KServeModelList))
            .WithSummary("Names the registered models")
            .Describes(new ApiOperation("kserveModels") { Answers = [new(StatusCodes.Status200OK, "Their names.", ApiContent.Of(ManagementJson.Default.KServeModelList))] });
        models.MapGet("{model}", context => PrettyJson.WriteAsync(context, StatusCodes.Status200OK, Describe(registry, context.Model()), ManagementJson.Default.KServeModel))
            .WithSummary("Whether a model's default version takes requests")
            .Describes(new ApiOperation("kserveModel") { Answers = [new(StatusCodes.Status200OK, "Its name, and whether it is ready.", ApiContent.Of(ManagementJson.Default.KServeModel))], Errors = [404] });
    }

    /// <exception cref="ModelNotFoundException">There is none of that name.</exception>
    private static KServeModel Describe(ModelRegistry registry, string model) => new(model, registry.Resolve(model).IsReady);
}

/// <summary>KServe's list of models.</summary>
public sealed record KServeModelList(IReadOnlyList<string> Models);

/// <summary>A model as KServe's v1 protocol describes it.</summary>
public sealed record KServeModel(string Name, bool Ready);
