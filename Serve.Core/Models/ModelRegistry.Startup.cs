using Serve.Core.Errors;
using Serve.Core.Models.Snapshots;
using Serve.Core.Models.Sources;

namespace Serve.Core.Models;

/// <summary>What is registered when the server starts: first what the management API had left, then what the configuration names.</summary>
public sealed partial class ModelRegistry
{
    /// <summary>
    /// Registers what the last snapshot has and what the configuration's <c>loadModels</c> names, and starts the workers,
    /// without waiting for them. A model that cannot be opened is logged; the server starts all the same.
    /// </summary>
    /// <param name="cancellation">Stops the start.</param>
    public async Task LoadAtStartupAsync(CancellationToken cancellation)
    {
        IReadOnlyList<(string Model, VersionSnapshot Version)> waiting;
        lock (_gate) waiting = _managed.Waiting;
        foreach (var (model, version) in waiting)
        {
            cancellation.ThrowIfCancellationRequested();
            await TryAsync(version.Url, () => RestoreAsync(model, version, cancellation)).ConfigureAwait(false);
        }

        foreach (var url in UrlsAtStartup())
        {
            cancellation.ThrowIfCancellationRequested();
            await TryAsync(url, () => LoadAsync(url, cancellation)).ConfigureAwait(false);
        }
    }

    // One model that cannot be read is no reason not to serve the others.
    private async Task TryAsync(string url, Func<Task> load)
    {
        try
        {
            await load().ConfigureAwait(false);
        }
        catch (Exception e) when (e is ServeException or IOException or UnauthorizedAccessException)
        {
            Log.NotLoaded(_log, url, e.Message);
        }
    }

    private IReadOnlyList<string> UrlsAtStartup()
    {
        try
        {
            return _store.AtStartup();
        }
        catch (Exception e) when (e is ServeException or IOException or UnauthorizedAccessException)
        {
            Log.NothingLoaded(_log, e.Message);
            return [];
        }
    }

    private async Task RestoreAsync(string model, VersionSnapshot version, CancellationToken cancellation)
    {
        var source = await Task.Run(() => _opener.Reopen(model, version, cancellation), cancellation).ConfigureAwait(false);
        try
        {
            AddAtStartup(source, version.ToRequest(model), version.Workers, () => _managed.IsWaiting(model, version.Version));
        }
        catch (ServeException)
        {
            source.Dispose();
            throw;
        }
    }

    private async Task LoadAsync(string url, CancellationToken cancellation)
    {
        ModelSource source;
        if (ModelOpener.IsRemote(url))
        {
            // Fetched already, and restored from what was kept of it.
            if (_table.Versions.Any(version => version.Source.Download is not null && version.Source.Url == AllowedUrls.Shown(url))) return;

            source = await _opener.OpenAsync(new RegistrationRequest { Url = url }, cancellation).ConfigureAwait(false);
        }
        else
        {
            var stored = await Task.Run(() => _store.Resolve(url), cancellation).ConfigureAwait(false);
            lock (_gate)
            {
                if (!IsWanted(stored.Name, stored.Version)) return;
            }

            source = await Task.Run(() => _store.Open(stored, cancellation: cancellation), cancellation).ConfigureAwait(false);
        }

        try
        {
            AddAtStartup(source, null, null, () => IsWanted(source.Name, source.Version));
        }
        catch (ServeException)
        {
            // Another call registers it, or the server stops.
            _opener.Discard(source);
            throw;
        }
    }

    /// <summary>Registers what was opened, unless the management API has decided otherwise meanwhile.</summary>
    private void AddAtStartup(ModelSource source, RegistrationRequest? request, WorkerRange? workers, Func<bool> isStillWanted)
    {
        var configuration = request is null ? source.Configuration : RegistrationSettings.Apply(source, request).Configuration;
        ModelVersion? version;
        lock (_gate) version = isStillWanted() ? Add(source, configuration, request, workers, isLoadedAtStartup: true) : null;
        if (version is not null) _ = version.StartWorkersAsync();
        else _opener.Discard(source);
    }

    /// <summary>Whether a version that the configuration names is to be loaded: not if it is there already, was unregistered, or could not be restored. Under the gate.</summary>
    private bool IsWanted(string model, string version) =>
        _table.Get(model)?.Versions.ContainsKey(version) != true && !_managed.IsUnregistered(model, version) && !_managed.IsWaiting(model, version);

    private SnapshotFolder? OpenSnapshots()
    {
        if (!_configuration.Snapshots || _configuration.SnapshotFolder is null && !Directory.Exists(_store.Root)) return null;

        var folder = _configuration.SnapshotFolder ?? Path.Combine(_store.Root, SnapshotFolder.DefaultName);
        try
        {
            return SnapshotFolder.Open(folder, _log);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (_configuration.SnapshotFolder is not null) throw new InternalServerException($"The folder {folder} (snapshotFolder) cannot be used; perhaps another server uses it: {e.Message}", e);
            Log.NotKept(_log, folder, e.Message);
            return null;
        }
    }

    private RegistrySnapshot Capture()
    {
        lock (_gate)
        {
            return _managed.Capture(_table.Entries.Select(entry => new ModelSnapshot
            {
                Name = entry.Name,
                Default = entry.Default.Version,
                Versions = [.. entry.Versions.Values.Select(version => version.Snapshot())],
            }));
        }
    }
}
