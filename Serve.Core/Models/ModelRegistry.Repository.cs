using Serve.Core.Errors;
using Serve.Core.Models.Repository;

namespace Serve.Core.Models;

/// <summary>
/// The model repository as the Open Inference Protocol has it: models are loaded by name, loaded again in place, and unloaded
/// with all their versions. The same table, and the same snapshots, as the management API's.
/// </summary>
public sealed partial class ModelRegistry
{
    private readonly KeyedTurns _turns = new();

    /// <summary>Versions that load beside the one that they will replace.</summary>
    private readonly List<ModelVersion> _replacements = [];

    /// <summary>
    /// Serves a model of the store: registers it, or loads it again beside what is registered and takes its place when it is
    /// ready. What is there already with the same files and settings stays as it is. The version, or the highest of several,
    /// becomes the default; those that a policy leaves out are unloaded then.
    /// </summary>
    /// <param name="load">What to serve.</param>
    /// <param name="cancellation">Stops waiting; the loading goes on.</param>
    /// <returns>The version, ready.</returns>
    /// <exception cref="ServeException">400 (it cannot be served so), 404 (nothing there), 408 (what is left out is not gone within <c>unregisterTimeout</c>), 500 (it did not load), 507 (likewise, for want of memory). But for 408, what was served is served still.</exception>
    public Task<ModelVersion> LoadAsync(ModelLoad load, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(load);
        return _turns.RunAsync(load.Model, () => LoadInTurnAsync(load)).WaitAsync(cancellation);
    }

    /// <summary>Drains and removes all versions of a model.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="cancellation">Stops waiting; the removal goes on.</param>
    /// <exception cref="ServeException">404: neither registered nor in the store; 408 (not within <c>unregisterTimeout</c>).</exception>
    public Task UnloadAsync(string model, CancellationToken cancellation) => _turns.RunAsync(model, () => UnloadInTurnAsync(model)).WaitAsync(cancellation);

    /// <summary>Everything that is registered or lies in the store, by name and version.</summary>
    public IReadOnlyList<IndexEntry> Index()
    {
        List<IndexEntry> entries = [.. _table.Versions.Select(version => new IndexEntry(version.Name, version.Version, version.State, version.Failure?.Reason))];
        var known = entries.Select(entry => (entry.Model, entry.Version)).ToHashSet();
        foreach (var stored in Stored().Where(stored => known.Add((stored.Name, stored.Version))))
        {
            bool isUnloaded;
            lock (_gate) isUnloaded = _managed.IsUnregistered(stored.Name, stored.Version);
            if (isUnloaded) entries.Add(new IndexEntry(stored.Name, stored.Version, null, "unloaded"));
            else if (_table.Get(stored.Name) is null) entries.Add(new IndexEntry(stored.Name, null, null, null));
        }

        return [.. entries.Distinct().OrderBy(entry => entry.Model, StringComparer.Ordinal).ThenBy(entry => entry.Version ?? "", VersionOrder.Instance)];
    }

    private async Task<ModelVersion> LoadInTurnAsync(ModelLoad load)
    {
        IReadOnlyList<string?> wanted = [load.Version];
        if (load.Policy is { } policy && load.Files.Count == 0) wanted = await Task.Run(() => policy.Choose(Known(load.Model))).ConfigureAwait(false);
        for (var i = 0; i < wanted.Count - 1; i++) await LoadOneAsync(load with { Version = wanted[i] }, isDefault: false).ConfigureAwait(false);
        var highest = await LoadOneAsync(load with { Version = wanted[^1] }, isDefault: true).ConfigureAwait(false);
        if (load.Policy is not null) await RemoveAsync(load.Model, version => version != highest.Version && !wanted.Contains(version)).ConfigureAwait(false);
        return highest;
    }

    private async Task<ModelVersion> LoadOneAsync(ModelLoad load, bool isDefault)
    {
        // Files are looked at, and archives unpacked.
        var (source, request, served) = await Task.Run(() => OpenForLoad(load)).ConfigureAwait(false);
        if (source is null)
        {
            if (isDefault && !served!.IsDefault) await SetDefaultAsync(load.Model, served.Version).ConfigureAwait(false);
            return served!;
        }

        ModelVersion version;
        ModelVersion? before;
        try
        {
            var configuration = RegistrationSettings.Apply(source.Configuration, request);
            if (configuration.MinWorkers == 0) configuration = configuration with { MinWorkers = 1, MaxWorkers = Math.Max(1, configuration.MaxWorkers) };
            lock (_gate)
            {
                if (_isDisposed) throw new ServiceUnavailableException("The server stops.", TimeSpan.FromSeconds(5));
                before = _table.Get(source.Name)?.Versions.GetValueOrDefault(source.Version);
                version = new ModelVersion(source, WithInstances(configuration), workers: null, isLoadedAtStartup: false, _environment, _loggers, before) { Request = request };
                _replacements.Add(version);
            }
        }
        catch (ServeException)
        {
            DiscardUnshared(source, null);
            throw;
        }

        try
        {
            await version.StartWorkersAsync().ConfigureAwait(false);
            if (version.ReadyWorkers < version.Configuration.MinWorkers) throw Failed(version);
            if (load.Check?.Invoke(version) is { } fault) throw new BadRequestException(fault);
            TakePlace(version, before, isDefault);
        }
        catch (ServeException)
        {
            lock (_gate) _replacements.Remove(version);
            await version.DrainAsync(TimeSpan.Zero, _time).ConfigureAwait(false);
            DiscardUnshared(source, before);
            throw;
        }

        await _writer.SaveAsync().ConfigureAwait(false);
        if (before is not null)
        {
            await before.DrainAsync(_configuration.DrainTimeout, _time).ConfigureAwait(false);
            DiscardUnshared(before.Source, version);
        }

        return version;
    }

    // No source: what is served is what is asked for.
    private (ModelSource? Source, RegistrationRequest Request, ModelVersion? Served) OpenForLoad(ModelLoad load)
    {
        if (load.Files.Count > 0)
        {
            var (uploaded, its) = OpenUploaded(load);
            return (uploaded, its, null);
        }

        var current = _table.Get(load.Model) is { } entry ? load.Version is { } named ? entry.Versions.GetValueOrDefault(named) : entry.Default : null;
        var stored = Stored().LastOrDefault(stored => stored.Name == load.Model && (load.Version is null || stored.Version == load.Version));
        if (stored is null && current is null) throw new ModelNotFoundException(load.Version is null ? "it is not in the model store" : $"its version {load.Version} is not in the model store");

        if (stored is not null && _table.Get(load.Model)?.Versions.GetValueOrDefault(stored.Version) is { } registered) current = registered;
        var isSame = current is { State: ModelState.Ready } && Equal(current.Request?.Overrides, load.Overrides);
        if (stored is null || (current is not null && stored.Url != current.Source.Url && stored.Version == current.Version))
        {
            // Fetched, uploaded, from elsewhere, or under another name: what it was registered from has not changed.
            var request = current!.Snapshot().ToRequest(load.Model) with { Overrides = load.Overrides };
            return isSame ? (null, request, current) : (_opener.Reopen(load.Model, current.Snapshot(), CancellationToken.None), request, current);
        }

        var mine = new RegistrationRequest { Url = stored.Url, ModelName = load.Model, Overrides = load.Overrides };
        if (isSame && current!.Version == stored.Version && current.Source.Stamp == FilesStamp.Of(stored.Path)) return (null, mine, current);
        return (_store.Open(stored), mine, current);
    }

    private (ModelSource Source, RegistrationRequest Request) OpenUploaded(ModelLoad load)
    {
        var version = load.Version ?? ModelNames.DefaultVersion;
        var folder = _store.NextUnpacked("upload");
        try
        {
            var file = _downloads.Adopt(UploadedModel.Pack(folder, load.Model, version, load.Files), load.Model);
            var request = new RegistrationRequest { Url = $"upload://{load.Model}/{version}", ModelName = load.Model, Overrides = load.Overrides };
            return (_opener.OpenDownload(file, request), request);
        }
        finally
        {
            UnpackedFolders.Remove(folder);
        }
    }

    // The version takes requests from now on; those that another version had already go on there.
    private void TakePlace(ModelVersion version, ModelVersion? before, bool isDefault)
    {
        lock (_gate)
        {
            if (_isDisposed) throw new ServiceUnavailableException("The server stops.", TimeSpan.FromSeconds(5));
            var entry = _table.Get(version.Name);
            if (entry?.Versions.GetValueOrDefault(version.Version) != before) throw new ConflictStatusException($"Model version {version.Version} of model {version.Name} was changed by another call meanwhile");
            _replacements.Remove(version);
            if (isDefault) _managed.ChangeDefault(version.Name);
            _managed.Registered(version.Name, version.Version);
            entry ??= new ModelEntry(version.Name, version, System.Collections.Immutable.ImmutableSortedDictionary.Create<string, ModelVersion>(VersionOrder.Instance));
            _table.Put(entry with { Default = isDefault || entry.Default == before ? version : entry.Default, Versions = entry.Versions.SetItem(version.Version, version) });
            before?.LeaveTo(version);
            version.Publish();
            Log.Registered(_log, version.Name, version.Version, version.Source.Url);
            foreach (var warning in version.Source.Warnings) Log.Warning(_log, version.Name, version.Version, warning);
        }
    }

    private async Task<bool> UnloadInTurnAsync(string model)
    {
        if (_table.Get(model) is null && Stored().All(stored => stored.Name != model)) throw new ModelNotFoundException($"Request for unknown model: '{model}' is not found");
        await RemoveAsync(model, static _ => true).ConfigureAwait(false);
        return true;
    }

    private async Task RemoveAsync(string model, Func<string, bool> isUnwanted)
    {
        List<ModelVersion> removed = [];
        lock (_gate)
        {
            if (_table.Get(model) is { } entry) removed.AddRange(entry.Versions.Values.Where(version => isUnwanted(version.Version)));
            foreach (var version in removed) Remove(version);
        }

        await _writer.SaveAsync().ConfigureAwait(false);
        try
        {
            await Task.WhenAll(removed.Select(DrainAndDiscardAsync)).WaitAsync(_configuration.UnregisterTimeout, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new RequestTimeoutException($"Timed out while cleaning resources: {model}");
        }
    }

    private IEnumerable<string> Known(string model) =>
        Stored().Where(stored => stored.Name == model).Select(stored => stored.Version).Concat(_table.Get(model)?.Versions.Keys ?? []);

    private IReadOnlyList<StoredModel> Stored()
    {
        try
        {
            return _store.List();
        }
        catch (Exception e) when (e is ModelNotFoundException or IOException or UnauthorizedAccessException)
        {
            // No store: then nothing lies in it.
            return [];
        }
    }

    // The file that two versions were unpacked from goes with the last of them.
    private void DiscardUnshared(ModelSource source, ModelVersion? other)
    {
        if (source.Download is not null && source.Download == other?.Source.Download) source.Dispose();
        else _opener.Discard(source);
    }

    private static bool Equal(IReadOnlyDictionary<string, string>? a, IReadOnlyDictionary<string, string>? b) =>
        (a ?? EmptyOverrides).Count == (b ?? EmptyOverrides).Count && (a ?? EmptyOverrides).All(pair => (b ?? EmptyOverrides).GetValueOrDefault(pair.Key) == pair.Value);

    private static readonly IReadOnlyDictionary<string, string> EmptyOverrides = new Dictionary<string, string>();
}
