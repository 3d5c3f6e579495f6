using System.Text.Json.Serialization;

namespace Serve.Management.Http;

/// <summary>The answer of everything that has nothing but a sentence to say.</summary>
public sealed record StatusBody([property: JsonRequired] string Status);

/// <summary>The body of every error, on every listener.</summary>
public sealed record ErrorBody(int Code, string Type, string Message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StatusBody))]
[JsonSerializable(typeof(ErrorBody))]
public sealed partial class HttpJson : JsonSerializerContext;
