using Serve.Core.Errors;
using Serve.Core.Models.Sources;

namespace Serve.Core.Models.Repository;

/// <summary>Finds and opens what a client of the model repository wants to have served.</summary>
/// <param name="table">What is registered.</param>
/// <param name="store">The model store.</param>
/// <param name="opener">Opens what was fetched or brought.</param>
/// <param name="downloads">Keeps what was brought.</param>
internal sealed class LoadSources(ModelTable table, ModelStore store, ModelOpener opener, Downloads downloads)
{
    private static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    /// <summary>The versions of a model that are registered or lie in the store; one may stand twice.</summary>
    public IEnumerable<string> Versions(string model) =>
        Stored().Where(stored => stored.Name == model).Select(stored => stored.Version).Concat(table.Get(model)?.Versions.Keys ?? []);

    /// <summary>What lies in the store.</summary>
    public IReadOnlyList<StoredModel> Stored()
    {
        try
        {
            return store.List();
        }
        catch (Exception e) when (e is ModelNotFoundException or IOException or UnauthorizedAccessException)
        {
            // No store: then nothing lies in it.
            return [];
        }
    }

    /// <summary>Opens what a load asks for: the files that came with it, those of the store, or those that it was registered from before.</summary>
    /// <exception cref="ServeException">400 or 500 (it cannot be opened), 404 (nothing there), 507 (no room).</exception>
    public LoadSource Open(ModelLoad load)
    {
        if (load.Files.Count > 0) return OpenUploaded(load);

        var current = table.Get(load.Model) is { } entry ? load.Version is { } named ? entry.Versions.GetValueOrDefault(named) : entry.Default : null;
        var stored = Stored().LastOrDefault(stored => stored.Name == load.Model && (load.Version is null || stored.Version == load.Version));
        if (stored is null && current is null) throw new ModelNotFoundException(load.Version is null ? "it is not in the model store" : $"its version {load.Version} is not in the model store");

        if (stored is not null && table.Get(load.Model)?.Versions.GetValueOrDefault(stored.Version) is { } registered) current = registered;
        var isSame = current is { State: ModelState.Ready } && AreEqual(current.Request?.Overrides, load.Overrides);
        if (stored is null || (current is not null && stored.Url != current.Source.Url && stored.Version == current.Version))
        {
            // Fetched, uploaded, from elsewhere, or under another name: what it was registered from has not changed.
            var request = current!.Snapshot().ToRequest(load.Model) with { Overrides = load.Overrides };
            return new LoadSource(isSame ? null : opener.Reopen(load.Model, current.Snapshot(), CancellationToken.None), request, current);
        }

        var mine = new RegistrationRequest { Url = stored.Url, ModelName = load.Model, Overrides = load.Overrides };
        if (isSame && current!.Version == stored.Version && current.Source.Stamp == FilesStamp.Of(stored.Path)) return new LoadSource(null, mine, current);
        return new LoadSource(store.Open(stored), mine, current);
    }

    private LoadSource OpenUploaded(ModelLoad load)
    {
        var version = load.Version ?? ModelNames.DefaultVersion;
        var folder = store.NextUnpacked("upload");
        try
        {
            var file = downloads.Adopt(UploadedModel.Pack(folder, load.Model, version, load.Files), load.Model);
            var request = new RegistrationRequest { Url = $"upload://{load.Model}/{version}", ModelName = load.Model, Overrides = load.Overrides };
            return new LoadSource(opener.OpenDownload(file, request), request, null);
        }
        catch (IOException e) when (DiskSpace.IsExhausted(e))
        {
            throw new OutOfResourcesException($"There is no room for the files of model {load.Model}.", e);
        }
        finally
        {
            UnpackedFolders.Remove(folder);
        }
    }

    private static bool AreEqual(IReadOnlyDictionary<string, string>? a, IReadOnlyDictionary<string, string>? b) =>
        (a ?? None).Count == (b ?? None).Count && (a ?? None).All(pair => (b ?? None).GetValueOrDefault(pair.Key) == pair.Value);
}

/// <summary>What a load came upon.</summary>
/// <param name="Source">What is to be served; null: what is served is what is asked for.</param>
/// <param name="Request">As what it is registered.</param>
/// <param name="Served">What is served; null: nothing of that version, or it is replaced whatever it is.</param>
internal sealed record LoadSource(ModelSource? Source, RegistrationRequest Request, ModelVersion? Served);
