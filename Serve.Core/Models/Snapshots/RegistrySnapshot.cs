using System.Text.Json.Serialization;

namespace Serve.Core.Models.Snapshots;

/// <summary>
/// What was changed over the management API, so that a restart finds it again. Models that nobody changed are not in it:
/// they follow the configuration.
/// </summary>
internal sealed record RegistrySnapshot
{
    /// <summary>The models that were changed, by name.</summary>
    public IReadOnlyList<ModelSnapshot> Models { get; init; } = [];
}

/// <summary>A model that was changed.</summary>
internal sealed record ModelSnapshot
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The version that requests go to which name none; null if no version is left.</summary>
    public string? Default { get; init; }

    /// <summary>All its versions, in version order.</summary>
    public IReadOnlyList<VersionSnapshot> Versions { get; init; } = [];

    /// <summary>Versions that were unregistered and lie in the model store still: <c>loadModels</c> does not bring them back.</summary>
    public IReadOnlyList<string> Unregistered { get; init; } = [];
}

/// <summary>A version that is registered. What nobody set is null and follows the model's own configuration.</summary>
internal sealed record VersionSnapshot
{
    /// <summary>Its name.</summary>
    public required string Version { get; init; }

    /// <summary>Where it was registered from: a path in the model store, or a URL without its query.</summary>
    public required string Url { get; init; }

    /// <summary>The file among the downloads, if it was fetched.</summary>
    public string? Download { get; init; }

    /// <summary>The handler that the registration named.</summary>
    public string? Handler { get; init; }

    /// <summary>The batch size that the registration named.</summary>
    public int? BatchSize { get; init; }

    /// <summary>The delay that the registration named.</summary>
    public TimeSpan? MaxBatchDelay { get; init; }

    /// <summary>The timeout that the registration named.</summary>
    public TimeSpan? ResponseTimeout { get; init; }

    /// <summary>The timeout that the registration named.</summary>
    public TimeSpan? StartupTimeout { get; init; }

    /// <summary>Further keys of its configuration that the registration set.</summary>
    public IReadOnlyDictionary<string, string>? Overrides { get; init; }

    /// <summary>Workers as last set by the registration or by scaling; null: the model's own configuration.</summary>
    public WorkerRange? Workers { get; init; }

    /// <summary>The registration that it came from.</summary>
    /// <param name="model">The model's name.</param>
    public RegistrationRequest ToRequest(string model) => new()
    {
        Url = Url,
        ModelName = model,
        Handler = Handler,
        BatchSize = BatchSize,
        MaxBatchDelay = MaxBatchDelay,
        ResponseTimeout = ResponseTimeout,
        StartupTimeout = StartupTimeout,
        Overrides = Overrides,
    };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RegistrySnapshot))]
internal sealed partial class SnapshotJson : JsonSerializerContext;
