using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Serve.Core.Observability;
using Serve.Management.Authorization;

namespace Serve.Management.Http.OpenApi;

/// <summary>
/// An OpenAPI 3.0.1 document (the version that TorchServe's have) of routes that are mapped.
/// </summary>
internal sealed class OpenApiDocument
{
    private readonly ApiSchemas _schemas = new();
    private readonly JsonObject _paths = [];
    private readonly ApiSecurity _security;

    private OpenApiDocument(TokenGuard? guard) => _security = new ApiSecurity(guard);

    /// <summary>Describes routes.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="description">What it is about.</param>
    /// <param name="endpoints">The routes.</param>
    /// <param name="guard">What asks for tokens before them; null: nothing.</param>
    /// <param name="values">Parameters of the path that have a value already.</param>
    public static JsonObject Of(string title, string description, IEnumerable<RouteEndpoint> endpoints, TokenGuard? guard, IReadOnlyDictionary<string, string>? values = null)
    {
        var document = new OpenApiDocument(guard);
        var operations =
            from endpoint in endpoints
            let path = PathOf(endpoint.RoutePattern, values)
            from verb in VerbsOf(endpoint)
            orderby path, verb
            select (Endpoint: endpoint, Path: path, Verb: verb);
        foreach (var (endpoint, path, verb) in operations) document.Add(endpoint, path, verb, values);
        var components = new JsonObject { ["schemas"] = document._schemas.Components };
        if (document._security.Schemes is { } schemes) components["securitySchemes"] = schemes;
        return new JsonObject
        {
            ["openapi"] = "3.0.1",
            ["info"] = new JsonObject { ["title"] = title, ["description"] = description, ["version"] = ServeVersion.Text },
            ["paths"] = document._paths,
            ["components"] = components,
        };
    }

    /// <summary>A route's path as OpenAPI writes it.</summary>
    internal static string PathOf(RoutePattern pattern, IReadOnlyDictionary<string, string>? values = null) =>
        "/" + string.Join('/', pattern.PathSegments.Select(segment => string.Concat(segment.Parts.Select(part => part switch
        {
            RoutePatternParameterPart parameter => values?.GetValueOrDefault(parameter.Name) is { } value ? Uri.EscapeDataString(value) : $"{{{parameter.Name}}}",
            RoutePatternLiteralPart literal => literal.Content,
            RoutePatternSeparatorPart separator => separator.Content,
            _ => "",
        }))));

    /// <summary>The verbs of a route, in capitals; of one that takes any, those that its description shows.</summary>
    internal static IEnumerable<string> VerbsOf(RouteEndpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods is { Count: > 0 } verbs ? verbs : endpoint.Metadata.GetMetadata<ApiOperation>()?.Verbs ?? ["GET"];

    private void Add(RouteEndpoint endpoint, string path, string verb, IReadOnlyDictionary<string, string>? values)
    {
        if (_paths[path] is not JsonObject item) _paths[path] = item = [];
        var described = endpoint.Metadata.GetMetadata<ApiOperation>() ?? Undescribed(endpoint.RoutePattern, verb);
        var operation = new JsonObject
        {
            ["operationId"] = described.Verbs.Count > 1 ? $"{described.Id}By{verb[0]}{verb[1..].ToLowerInvariant()}" : described.Id,
            ["summary"] = endpoint.Metadata.GetMetadata<IEndpointSummaryMetadata>()?.Summary,
            ["tags"] = new JsonArray([.. (endpoint.Metadata.GetMetadata<ITagsMetadata>()?.Tags ?? []).Select(tag => JsonValue.Create(tag))]),
        };
        var parameters = new JsonArray([.. PathParameters(endpoint.RoutePattern, values), .. described.Parameters.Select(Parameter)]);
        if (parameters.Count > 0) operation["parameters"] = parameters;
        if (BodyOf(described) is { } body) operation["requestBody"] = body;
        var security = _security.Of(path, verb);
        if (security is not null) operation["security"] = security;
        operation["responses"] = Responses(described, isGuarded: security is not null);
        item[verb.ToLowerInvariant()] = operation;
    }

    // A route that says nothing about itself is still there.
    private static ApiOperation Undescribed(RoutePattern pattern, string verb) =>
        new(verb.ToLowerInvariant() + string.Concat(PathOf(pattern).Where(char.IsAsciiLetterOrDigit))) { Answers = [new ApiAnswer(200, "Success.")] };

    private static IEnumerable<JsonObject> PathParameters(RoutePattern pattern, IReadOnlyDictionary<string, string>? values) =>
        from parameter in pattern.Parameters
        where values?.ContainsKey(parameter.Name) != true
        select new JsonObject
        {
            ["name"] = parameter.Name,
            ["in"] = "path",
            ["required"] = true,
            ["description"] = parameter.Name switch
            {
                "model" => "The model's name.",
                "version" => "The model's version.",
                "fileName" => "The file's name, without folders.",
                _ => "The handler gets it as the header url_path.",
            },
            ["schema"] = ApiSchemas.Of(ApiType.String),
        };

    private static JsonObject Parameter(ApiParameter parameter) => new()
    {
        ["name"] = parameter.Name,
        ["in"] = "query",
        ["required"] = parameter.IsRequired,
        ["description"] = parameter.Description,
        ["schema"] = ApiSchemas.Of(parameter.Type),
    };

    private JsonObject? BodyOf(ApiOperation described)
    {
        if (described.TakesParametersAsJson)
        {
            var properties = new JsonObject(described.Parameters.Select(parameter => KeyValuePair.Create(parameter.Name, (JsonNode?)ApiSchemas.Of(parameter.Type))));
            return Body("The parameters, for a client that does not put them into the query.", new JsonObject
            {
                ["application/json"] = new JsonObject { ["schema"] = new JsonObject { ["type"] = "object", ["properties"] = properties } },
            });
        }

        return described.Body.Count == 0 ? null : Body("The inputs.", new JsonObject(described.Body.Select(content => KeyValuePair.Create(content.MediaType, (JsonNode?)Content(content)))));

        static JsonObject Body(string description, JsonObject content) => new() { ["description"] = description, ["content"] = content };
    }

    private JsonObject Responses(ApiOperation described, bool isGuarded)
    {
        var responses = new JsonObject();
        foreach (var answer in described.Answers)
        {
            var response = new JsonObject { ["description"] = answer.Description };
            if (answer.Content is { } content) response["content"] = new JsonObject { [content.MediaType] = Content(content) };
            responses[answer.Status.ToString(CultureInfo.InvariantCulture)] = response;
        }

        foreach (var status in isGuarded ? described.Errors.Prepend(401) : described.Errors) responses[status.ToString(CultureInfo.InvariantCulture)] = Error(Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status));
        responses["default"] = Error("Any other error.");
        return responses;
    }

    private JsonObject Error(string description) => new()
    {
        ["description"] = description,
        ["content"] = new JsonObject { ["application/json"] = Content(ApiContent.Of(HttpJson.Default.ErrorBody)) },
    };

    private JsonObject Content(ApiContent content) => new() { ["schema"] = _schemas.Of(content) };
}
