namespace Serve.Core.Models.Repository;

/// <summary>What a client of the model repository wants to have served.</summary>
/// <param name="Model">The model's name.</param>
public sealed record ModelLoad(string Model)
{
    /// <summary>The version; null: the highest.</summary>
    public string? Version { get; init; }

    /// <summary>Which versions are served, and that others are not; null: that one, and others stay.</summary>
    public VersionPolicy? Policy { get; init; }

    /// <summary>Keys of <c>model-config.yaml</c> to set, as text; null: as the model's own configuration says.</summary>
    public IReadOnlyDictionary<string, string>? Overrides { get; init; }

    /// <summary>The files of the model, by their path in its folder; empty: those of the store.</summary>
    public IReadOnlyList<ModelFileContent> Files { get; init; } = [];

    /// <summary>Looks at the version before requests come to it; what it returns is what is wrong with it.</summary>
    public Func<ModelVersion, string?>? Check { get; init; }
}

/// <summary>A file that came with a request.</summary>
/// <param name="Path">Its path in the model's folder.</param>
/// <param name="Content">Its bytes.</param>
public sealed record ModelFileContent(string Path, ReadOnlyMemory<byte> Content);

/// <summary>An entry of the index: a version that is registered, or what the store has and nobody has loaded.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Version">The version; null: nothing of the model was ever loaded.</param>
/// <param name="State">Its state; null: it is not loaded.</param>
/// <param name="Reason">Why it is in it.</param>
public sealed record IndexEntry(string Model, string? Version, ModelState? State, string? Reason);
