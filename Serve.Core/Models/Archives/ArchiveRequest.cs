namespace Serve.Core.Models.Archives;

/// <summary>What <c>serve archive</c> packs; names as torch-model-archiver has them.</summary>
public sealed record ArchiveRequest
{
    /// <summary>The model's name, and the archive's.</summary>
    public required string ModelName { get; init; }

    /// <summary>The version's name.</summary>
    public string Version { get; init; } = ModelNames.DefaultVersion;

    /// <summary>A stock handler, or <c>path/Assembly.dll:Namespace.Type</c>; null leaves it to the configuration file, else <c>tensor</c>.</summary>
    public string? Handler { get; init; }

    /// <summary>The ONNX file; null for a handler that has none.</summary>
    public string? SerializedFile { get; init; }

    /// <summary>TorchServe's file with the model's Python class: packed for TorchServe's sake, not used by Serve, which refuses it without an ONNX file.</summary>
    public string? ModelFile { get; init; }

    /// <summary>TorchServe's list of Python packages: packed for TorchServe's sake, not used by Serve.</summary>
    public string? RequirementsFile { get; init; }

    /// <summary>What the manifest says that runs the model; has no effect in Serve.</summary>
    public string Runtime { get; init; } = "onnx";

    /// <summary>Further files, and folders whose content is packed, all at the archive's root.</summary>
    public IReadOnlyList<string> ExtraFiles { get; init; } = [];

    /// <summary>The model's configuration.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>Where the archive goes.</summary>
    public string ExportPath { get; init; } = ".";

    /// <summary>Whether an archive that is there already is replaced.</summary>
    public bool Force { get; init; }

    /// <summary>How it is packed.</summary>
    public ArchiveFormat Format { get; init; }
}

/// <summary>How an archive is packed.</summary>
public enum ArchiveFormat
{
    /// <summary>A compressed zip, <c>NAME.mar</c>.</summary>
    Default,

    /// <summary>A zip without compression: faster to make and to open; weights hardly compress.</summary>
    ZipStore,

    /// <summary>A gzipped tar, <c>NAME.tar.gz</c>, with everything in one folder.</summary>
    Tgz,

    /// <summary>A folder, <c>NAME/</c>.</summary>
    NoArchive,
}
