using System.Text.Json.Serialization;

namespace Serve.Management.Rest;

/// <summary>A page of models; the token is absent on the last one.</summary>
public sealed record ModelList(string? NextPageToken, [property: JsonRequired] IReadOnlyList<ModelListEntry> Models);

/// <summary>A model in the list.</summary>
public sealed record ModelListEntry(string ModelName, string ModelUrl);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(List<VersionBody>))]
[JsonSerializable(typeof(KServeModelList))]
[JsonSerializable(typeof(KServeModel))]
[JsonSerializable(typeof(LoggingBody))]
[JsonSerializable(typeof(WorkerLogBody))]
public sealed partial class ManagementJson : JsonSerializerContext;
