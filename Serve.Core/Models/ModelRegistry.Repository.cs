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
        foreach (var stored in _sources.Stored().Where(stored => known.Add((stored.Name, stored.Version))))
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
        if (load.Policy is { } policy && load.Files.Count == 0) wanted = await Task.Run(() => policy.Choose(_sources.Versions(load.Model))).ConfigureAwait(false);
        for (var i = 0; i < wanted.Count - 1; i++) (await LoadOneAsync(load with { Version = wanted[i] }, isDefault: false).ConfigureAwait(false)).Policy = load.Policy;
        var highest = await LoadOneAsync(load with { Version = wanted[^1] }, isDefault: true).ConfigureAwait(false);
        highest.Policy = load.Policy;
        if (load.Policy is not null) await RemoveAsync(load.Model, version => version != highest.Version && !wanted.Contains(version)).ConfigureAwait(false);
        return highest;
    }

    private async Task<ModelVersion> LoadOneAsync(ModelLoad load, bool isDefault)
    {
        // Files are looked at, and archives unpacked.
        var (source, request, served) = await Task.Run(() => _sources.Open(load)).ConfigureAwait(false);
        if (source is null)
        {
            if (isDefault && !served!.IsDefault) await SetDefaultAsync(load.Model, served.Version).ConfigureAwait(false);
            return served!;
        }

        ModelVersion version;
        ModelVersion? before;
        try
        {
            var (configuration, warnings) = RegistrationSettings.Apply(source, request);
            foreach (var warning in warnings) Log.Warning(_log, source.Name, source.Version, warning);
            if (configuration.MinWorkers == 0) configuration = configuration with { MinWorkers = 1, MaxWorkers = Math.Max(1, configuration.MaxWorkers) };
            lock (_gate)
            {
                if (_isDisposed) throw new ServiceUnavailableException("The server stops.", TimeSpan.FromSeconds(5));
                before = _table.Get(source.Name)?.Versions.GetValueOrDefault(source.Version);
                version = new ModelVersion(source, WithInstances(configuration), workers: null, isLoadedAtStartup: false, _environment, _loggers, Namesakes(source.Name, source.Version).FirstOrDefault()) { Request = request };
                _replacements.Add(version);
            }
        }
        catch (ServeException)
        {
            DiscardUnshared(source, served);
            throw;
        }

        Task? left;
        try
        {
            await version.StartWorkersAsync().ConfigureAwait(false);
            if (version.ReadyWorkers < version.Configuration.MinWorkers) throw Failed(version);
            if (load.Check?.Invoke(version) is { } fault) throw new BadRequestException(fault);
            left = TakePlace(version, before, isDefault);
        }
        catch
        {
            lock (_gate)
            {
                _replacements.Remove(version);
                left = Leave(version, TimeSpan.Zero);
            }

            await left.ConfigureAwait(false);
            DiscardUnshared(source, before);
            throw;
        }

        await _writer.SaveAsync().ConfigureAwait(false);
        if (before is not null)
        {
            await left!.ConfigureAwait(false);
            DiscardUnshared(before.Source, version);
        }

        return version;
    }

    // The version takes requests from now on; those that another version had already go on there. The task ends when that is gone.
    private Task? TakePlace(ModelVersion version, ModelVersion? before, bool isDefault)
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
            TakeOver(version);
            var left = before is null ? null : Leave(before, _configuration.DrainTimeout);
            Log.Registered(_log, version.Name, version.Version, version.Source.Url);
            foreach (var warning in version.Source.Warnings) Log.Warning(_log, version.Name, version.Version, warning);
            return left;
        }
    }

    private async Task<bool> UnloadInTurnAsync(string model)
    {
        if (_table.Get(model) is null && _sources.Stored().All(stored => stored.Name != model)) throw new ModelNotFoundException($"Request for unknown model: '{ShownText.Of(model)}' is not found");
        await RemoveAsync(model, static _ => true).ConfigureAwait(false);
        return true;
    }

    private async Task RemoveAsync(string model, Func<string, bool> isUnwanted)
    {
        List<(ModelVersion Version, Task Left)> removed = [];
        lock (_gate)
        {
            if (_table.Get(model) is { } entry) removed.AddRange(entry.Versions.Values.Where(version => isUnwanted(version.Version)).Select(version => (version, Remove(version, _configuration.DrainTimeout))));
        }

        await _writer.SaveAsync().ConfigureAwait(false);
        try
        {
            await Task.WhenAll(removed.Select(one => DiscardAsync(one.Version, one.Left))).WaitAsync(_configuration.UnregisterTimeout, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new RequestTimeoutException($"Timed out while cleaning resources: {model}");
        }
    }

    // The file that two versions were unpacked from goes with the last of them.
    private void DiscardUnshared(ModelSource source, ModelVersion? other)
    {
        if (source.Download is not null && source.Download == other?.Source.Download) source.Dispose();
        else _opener.Discard(source);
    }
}
