using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serve.Core.Configuration;

/// <summary>
/// The JSON of configurations, as it travels in the worker protocol's Load frame: camelCase, every key, durations as
/// <c>hh:mm:ss.fffffff</c>. What is read equals what was written.
/// </summary>
/// <remarks>
/// The reader must be sent every key: generated code sets each <c>init</c> property, so one that is absent becomes zero or
/// null, not its default. Both ends of the worker link are of one version.
/// </remarks>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ModelConfiguration))]
public sealed partial class ServeJson : JsonSerializerContext;
