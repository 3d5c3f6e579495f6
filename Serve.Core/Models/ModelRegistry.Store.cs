using Serve.Core.Errors;
using Serve.Core.Models.Sources;

namespace Serve.Core.Models;

/// <summary>What lies in the model store, and what is put there.</summary>
public sealed partial class ModelRegistry
{
    private readonly StoreUploads _uploads;

    /// <summary>
    /// What the store has and nobody has registered: neither from there nor under that name and version. Reads the manifests
    /// of archives.
    /// </summary>
    /// <exception cref="ModelNotFoundException">The store's folder does not exist.</exception>
    public IReadOnlyList<StoredModel> Unregistered()
    {
        var versions = AllVersions;
        var urls = versions.Select(static version => version.Source.Url).ToHashSet(StringComparer.Ordinal);
        var names = versions.Select(static version => (version.Name, version.Version)).ToHashSet();
        return [.. _store.List().Where(model => !urls.Contains(model.Url) && !names.Contains((model.Name, model.Version)))];
    }

    /// <summary>Takes a file into the store: an archive or an <c>.onnx</c>, checked to its end, whole or not at all.</summary>
    /// <param name="name">The file's name, without folders.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="length">How many are announced; null: not said.</param>
    /// <param name="mayHaveCode">Whether an archive may bring programs.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>What can be registered now.</returns>
    /// <exception cref="ServeException">400 (its name, or what it holds), 403 (it brings programs), 409 (there is one of that name), 413, 507 (no room).</exception>
    public async Task<StoredModel> UploadAsync(string name, Stream content, long? length, bool mayHaveCode, CancellationToken cancellation)
    {
        await _uploads.SaveAsync(name, content, length, mayHaveCode, cancellation).ConfigureAwait(false);
        return _store.Resolve(name);
    }
}
