using Serve.Core.Configuration;
using Serve.Core.Models.Archives;

namespace Serve.Core.Models;

/// <summary>A model version that was opened and checked: everything that a worker needs to load it is there.</summary>
public sealed record ModelSource : IDisposable
{
    /// <summary>The name under which it registers.</summary>
    public required string Name { get; init; }

    /// <summary>The version's name.</summary>
    public required string Version { get; init; }

    /// <summary>Where it came from, as describe shows it: its path in the store.</summary>
    public required string Url { get; init; }

    /// <summary>The folder with its files.</summary>
    public required string Folder { get; init; }

    /// <summary>The manifest, if it has one.</summary>
    public ModelManifest? Manifest { get; init; }

    /// <summary>
    /// How it is served. <see cref="ModelConfiguration.Handler"/>, <see cref="ModelConfiguration.ModelFile"/> and
    /// <see cref="ModelConfiguration.LabelFile"/> say what was found where the file leaves them out; the last two stay null
    /// where there is none.
    /// </summary>
    public required ModelConfiguration Configuration { get; init; }

    /// <summary>The top-level keys that its configuration file sets.</summary>
    public required IReadOnlySet<string> WrittenKeys { get; init; }

    /// <summary>Sentences for the log.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Whether the folder was unpacked from an archive and goes when the version does.</summary>
    public bool IsTemporary { get; init; }

    /// <summary>The file among the downloads that it was unpacked from; null if it was not fetched.</summary>
    internal string? Download { get; init; }

    /// <summary>Tells whether its files have changed since it was opened.</summary>
    internal string? Stamp { get; init; }

    /// <summary>Whether it lies in the model store, where <c>loadModels</c> finds it.</summary>
    internal bool LiesInStore => Download is null && !Url.Contains("://", StringComparison.Ordinal);

    /// <summary>Whether its own configuration says how many workers it wants.</summary>
    public bool SaysWorkers => WrittenKeys.Contains("minWorkers");

    /// <summary>Whether the model's own configuration says how many workers it may have.</summary>
    public bool SaysMostWorkers => SaysWorkers || WrittenKeys.Contains("maxWorkers");

    /// <summary>Removes the folder, if it was unpacked from an archive. No worker may use it any more.</summary>
    public void Dispose()
    {
        if (IsTemporary) UnpackedFolders.Remove(Folder);
    }
}
