using System.Collections.Frozen;
using System.Collections.Immutable;
using Serve.Core.Errors;

namespace Serve.Core.Models;

/// <summary>One model: its versions and which is the default.</summary>
internal sealed record ModelEntry(string Name, ModelVersion Default, ImmutableSortedDictionary<string, ModelVersion> Versions);

/// <summary>Which models and versions there are. Requests read it without a lock; the registry changes it under its own.</summary>
internal sealed class ModelTable
{
    private volatile FrozenDictionary<string, ModelEntry> _models = FrozenDictionary<string, ModelEntry>.Empty;

    /// <summary>All models.</summary>
    public ImmutableArray<ModelEntry> Entries => _models.Values;

    /// <summary>All versions of all models.</summary>
    public IEnumerable<ModelVersion> Versions => _models.Values.SelectMany(entry => entry.Versions.Values);

    /// <summary>A model; null if there is none of that name.</summary>
    public ModelEntry? Get(string model) => _models.GetValueOrDefault(model);

    /// <summary>The version that a request is for. Hot path.</summary>
    /// <exception cref="ModelNotFoundException">No such model.</exception>
    /// <exception cref="ModelVersionNotFoundException">No such version.</exception>
    public ModelVersion Resolve(string model, string? version)
    {
        if (!_models.TryGetValue(model, out var entry)) throw new ModelNotFoundException($"Model not found: {ShownText.Of(model)}");
        if (version is null) return entry.Default;
        return entry.Versions.TryGetValue(version, out var found)
            ? found
            : throw new ModelVersionNotFoundException($"Model version: {ShownText.Of(version)} does not exist for model: {model}");
    }

    /// <summary>As <see cref="Resolve"/>, from pieces of a path and without an exception. Hot path: allocates nothing.</summary>
    /// <returns>Null if there is none of that very name.</returns>
    public ModelVersion? Find(ReadOnlySpan<char> model, ReadOnlySpan<char> version)
    {
        if (!_models.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(model, out var entry)) return null;
        if (version.IsEmpty) return entry.Default;
        foreach (var (name, found) in entry.Versions)
        {
            if (version.SequenceEqual(name)) return found;
        }

        return null;
    }

    /// <summary>Adds a model, or replaces it.</summary>
    public void Put(ModelEntry entry)
    {
        foreach (var version in entry.Versions.Values) version.IsDefault = version == entry.Default;
        _models = _models.Values.Where(other => other.Name != entry.Name).Append(entry).ToFrozenDictionary(other => other.Name);
    }

    /// <summary>Removes a version; the last one takes its model with it.</summary>
    /// <returns>Whether it was there.</returns>
    public bool Remove(ModelVersion version)
    {
        if (!_models.TryGetValue(version.Name, out var entry) || entry.Versions.GetValueOrDefault(version.Version) != version) return false;

        var rest = entry.Versions.Remove(version.Version);
        if (rest.IsEmpty) _models = _models.Values.Where(other => other != entry).ToFrozenDictionary(other => other.Name);
        else Put(entry with { Versions = rest, Default = entry.Default == version ? rest.Values.Last() : entry.Default });
        return true;
    }
}
