using System.Text.Json.Serialization;

namespace Serve.Management.Overview;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(OverviewBody))]
public sealed partial class OverviewJson : JsonSerializerContext;
