using Microsoft.AspNetCore.Http;
using Serve.Core.Tracing;

namespace Serve.Frontend.Inference;

/// <summary>Whether a route's query parameters are inputs of the model.</summary>
internal enum QueryUse
{
    /// <summary>They are ignored, as on TorchServe's <c>/predictions</c>.</summary>
    None,

    /// <summary>Each becomes a part, after those of the body.</summary>
    Inputs,
}

/// <summary>What a route says about an inference request.</summary>
/// <param name="Model">The model that it names; null: the query or the body does, or there is only one.</param>
/// <param name="Version">The version that it names; null: the default.</param>
/// <param name="Path">What of it is for the handler.</param>
/// <param name="Query">What query parameters are for.</param>
internal sealed record InferenceRoute(string? Model, string? Version, string? Path, QueryUse Query)
{
    private const string ModelName = "model_name";

    /// <summary>It names the version, and nothing else.</summary>
    public static InferenceRoute Plain { get; } = new(null, null, null, QueryUse.None);

    /// <summary>SageMaker's <c>/invocations</c>.</summary>
    public static InferenceRoute Invocations { get; } = new(null, null, null, QueryUse.Inputs);

    /// <summary>What is noted of the request; null: it is not traced.</summary>
    public RequestTrace? Trace { get; init; }

    /// <summary>The model that the route or the query names; null if neither does. An empty name is none, as in TorchServe.</summary>
    public string? ModelOf(HttpRequest request) => Model ?? (Query == QueryUse.Inputs && (string?)request.Query[ModelName] is { Length: > 0 } named ? named : null);
}
