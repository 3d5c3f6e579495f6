using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;

namespace Serve.Management.Http.OpenApi;

/// <summary>
/// What a route takes and answers, as metadata of its endpoint: <see cref="OpenApiDocument"/> is made of the routes that are
/// mapped and of this, so that it cannot tell of others.
/// </summary>
/// <param name="Id">Its name in generated clients, in camel case; unique among a listener's.</param>
public sealed record ApiOperation(string Id)
{
    /// <summary>For a route of any verb: those to show, in capitals.</summary>
    public IReadOnlyList<string> Verbs { get; init; } = ["GET"];

    /// <summary>Parameters of the query. Those of the path follow from the route.</summary>
    public IReadOnlyList<ApiParameter> Parameters { get; init; } = [];

    /// <summary>Whether a JSON object may have the parameters instead.</summary>
    public bool TakesParametersAsJson { get; init; }

    /// <summary>Media types of the body; empty: it has none.</summary>
    public IReadOnlyList<ApiContent> Body { get; init; } = [];

    /// <summary>Answers that are no errors.</summary>
    public IReadOnlyList<ApiAnswer> Answers { get; init; } = [];

    /// <summary>Statuses of the errors that are this operation's own.</summary>
    public IReadOnlyList<int> Errors { get; init; } = [];
}

/// <summary>A JSON type of a parameter.</summary>
public enum ApiType
{
    /// <summary>Text.</summary>
    String,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Boolean,

    /// <summary>Text that may be given several times.</summary>
    Strings,
}

/// <summary>A parameter of a query.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Description">What it means, with its unit.</param>
/// <param name="IsRequired">Whether it must be given.</param>
public sealed record ApiParameter(string Name, ApiType Type, string Description, bool IsRequired = false);

/// <summary>A body of one media type.</summary>
/// <param name="MediaType">For example <c>application/json</c>.</param>
/// <param name="Shape">What it holds.</param>
/// <param name="Json">Of <see cref="ApiShape.Json"/>: the type that is written.</param>
public sealed record ApiContent(string MediaType, ApiShape Shape, JsonTypeInfo? Json = null)
{
    /// <summary>JSON as the server writes a type.</summary>
    public static ApiContent Of(JsonTypeInfo json) => new("application/json", ApiShape.Json, json);
}

/// <summary>What a body holds.</summary>
public enum ApiShape
{
    /// <summary>JSON of a type.</summary>
    Json,

    /// <summary>Any JSON.</summary>
    AnyJson,

    /// <summary>Bytes.</summary>
    Binary,

    /// <summary>Text.</summary>
    Text,

    /// <summary>Fields of any name, which hold files or text.</summary>
    Files,

    /// <summary>Fields of any name, which hold text.</summary>
    Fields,
}

/// <summary>An answer.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Description">When it is given.</param>
/// <param name="Content">Its body; null: it has none.</param>
public sealed record ApiAnswer(int Status, string Description, ApiContent? Content = null);

/// <summary>Attaches descriptions to routes.</summary>
public static class ApiOperationExtensions
{
    /// <summary>Says what the route takes and answers.</summary>
    public static T Describes<T>(this T route, ApiOperation operation)
        where T : IEndpointConventionBuilder => route.WithMetadata(operation);
}
