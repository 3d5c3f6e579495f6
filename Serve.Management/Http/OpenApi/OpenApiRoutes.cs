using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Management.Authorization;

namespace Serve.Management.Http.OpenApi;

/// <summary>Lets a listener say what it has: <c>OPTIONS /</c>, and TorchServe's older <c>/api-description</c>.</summary>
public static class OpenApiRoutes
{
    // TorchServe's, for tools that look for it.
    private const string Title = "TorchServe APIs";

    /// <summary>Maps them. The document is made of all routes of the builder when it is asked for the first time.</summary>
    /// <param name="routes">The listener's routes.</param>
    /// <param name="description">What the listener is for.</param>
    public static void MapOpenApi(this IEndpointRouteBuilder routes, string description)
    {
        byte[]? document = null;
        var answers = new ApiAnswer(StatusCodes.Status200OK, "This document.", new ApiContent("application/json", ApiShape.AnyJson));
        routes.MapMethods("/", [HttpMethods.Options], AnswerAsync).WithTags("API description").WithSummary("Describes this listener as OpenAPI")
            .Describes(new ApiOperation("apiDescription") { Answers = [answers] });
        routes.Map("/api-description", AnswerAsync).WithTags("API description").WithSummary("As OPTIONS /; deprecated")
            .Describes(new ApiOperation("description") { Answers = [answers] });

        Task AnswerAsync(HttpContext context) =>
            PrettyJson.WriteAsync(context, StatusCodes.Status200OK, document ??= PrettyJson.Encode(OpenApiDocument.Of(Title, description, EndpointsOf(routes), GuardOf(context))).ToArray());
    }

    /// <summary>Maps <c>OPTIONS</c> of a model's route: the routes below it, for this model.</summary>
    /// <param name="routes">The listener's routes.</param>
    /// <param name="pattern">The model's route, with a parameter <c>model</c>.</param>
    /// <param name="id">The operation's name.</param>
    /// <param name="describe">Title and text for a model; throws if there is none of that name.</param>
    public static void MapModelOpenApi(this IEndpointRouteBuilder routes, string pattern, string id, Func<string, (string Title, string Description)> describe) =>
        routes.MapMethods(pattern, [HttpMethods.Options], context =>
        {
            var model = (string)context.Request.RouteValues["model"]!;
            var (title, description) = describe(model);
            var own = EndpointsOf(routes).Where(endpoint => OpenApiDocument.PathOf(endpoint.RoutePattern).StartsWith(pattern, StringComparison.Ordinal));
            var document = OpenApiDocument.Of(title, description, own, GuardOf(context), new Dictionary<string, string> { ["model"] = model });
            return PrettyJson.WriteAsync(context, StatusCodes.Status200OK, PrettyJson.Encode(document));
        }).WithTags("API description").WithSummary("Describes one model's routes as OpenAPI")
            .Describes(new ApiOperation(id) { Answers = [new ApiAnswer(StatusCodes.Status200OK, "The document.", new ApiContent("application/json", ApiShape.AnyJson))], Errors = [404] });

    // The listener's, which all its routes have.
    private static TokenGuard? GuardOf(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<TokenGuard>();

    private static IEnumerable<RouteEndpoint> EndpointsOf(IEndpointRouteBuilder routes) =>
        routes.DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>();
}
