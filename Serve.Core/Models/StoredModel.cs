namespace Serve.Core.Models;

/// <summary>A model version that lies in the store, not opened yet.</summary>
/// <param name="Name">The name under which it registers.</param>
/// <param name="Version">The version's name.</param>
/// <param name="Url">What <c>POST /models?url=</c> calls it: its path in the store.</param>
/// <param name="Path">Its folder or file.</param>
/// <param name="Kind">What lies there.</param>
public sealed record StoredModel(string Name, string Version, string Url, string Path, StoredModelKind Kind);

/// <summary>What a model in the store is.</summary>
public enum StoredModelKind
{
    /// <summary>A folder with the version's files.</summary>
    Folder,

    /// <summary>A <c>.mar</c>, <c>.tar.gz</c> or <c>.tgz</c>.</summary>
    Archive,

    /// <summary>A bare <c>.onnx</c>, served as it is by the handler <c>tensor</c>.</summary>
    OnnxFile,
}
