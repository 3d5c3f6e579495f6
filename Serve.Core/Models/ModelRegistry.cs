using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Devices.Nvml;
using Serve.Core.Errors;
using Serve.Core.Models.Repository;
using Serve.Core.Models.Snapshots;
using Serve.Core.Models.Sources;
using Serve.Core.Observability;
using Serve.Core.Workers;

namespace Serve.Core.Models;

/// <summary>
/// Which models and versions exist and which version is the default; registers, scales and unregisters them. Requests read
/// an immutable table; changes replace it under a lock, and never wait for workers while they hold it. A change that was
/// acknowledged is in a snapshot on the disk.
/// </summary>
public sealed partial class ModelRegistry : IAsyncDisposable
{
    private readonly ServerConfiguration _configuration;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _log;
    private readonly ModelStore _store;
    private readonly ModelOpener _opener;
    private readonly Downloads _downloads;
    private readonly LoadSources _sources;
    private readonly WorkerEnvironment _environment;
    private readonly SnapshotFolder? _snapshots;
    private readonly SnapshotWriter _writer;
    private readonly ITimer _monitor;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ModelTable _table = new();

    /// <summary>Guards changes of the table, and what is managed.</summary>
    private readonly Lock _gate = new();
    private readonly ManagedState _managed;
    private long _lastCheck;
    private bool _wasStopped;
    private bool _isChecking;
    private bool _isDisposed;

    /// <summary>Creates an empty registry over the configuration's model store.</summary>
    /// <param name="configuration">The server's settings.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="fetcher">What fetches models from other machines; null: nothing can.</param>
    /// <exception cref="ServeException">The worker's executable is not there, or the configured snapshot folder cannot be used.</exception>
    public ModelRegistry(ServerConfiguration configuration, TimeProvider time, ILoggerFactory loggers, IArchiveFetcher? fetcher = null)
    {
        _configuration = configuration;
        _time = time;
        _loggers = loggers;
        _log = loggers.CreateLogger("Serve.Models");
        Devices = new DeviceMonitor(new NvmlProbe(visibleDevices: Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES")), time);
        _environment = new WorkerEnvironment(WorkerSettings.From(configuration), new WorkerSpawner(), time, CountWorkers, Devices);
        _store = new ModelStore(configuration, unpackFolder: _environment.Settings.RuntimeFolder);
        _uploads = new StoreUploads(_store.Root, configuration.MaxDownloadSize, time, _log);
        _snapshots = OpenSnapshots();
        _managed = new ManagedState(_snapshots?.Read());
        _writer = new SnapshotWriter(_snapshots, Capture, time, _log);
        _downloads = new Downloads(_snapshots?.Downloads ?? _store.NextUnpacked("downloads"), fetcher);

        // An archive that was uploaded or fetched may be nowhere else: nothing goes by what an older snapshot knew.
        if (_snapshots?.HasDamaged != true) _downloads.RemoveOthers(_managed.Waiting.Select(waiting => waiting.Version.Download).OfType<string>().ToHashSet(StringComparer.Ordinal));
        _opener = new ModelOpener(_store, new AllowedUrls(configuration.AllowedUrls), _downloads);
        _sources = new LoadSources(_table, _store, _opener, _downloads);
        _lastCheck = time.GetTimestamp();
        var interval = configuration.HeartbeatInterval / 2;
        _monitor = time.CreateTimer(static state => ((ModelRegistry)state!).Check(), this, interval, interval);
    }

    /// <summary>The machine's GPUs.</summary>
    public DeviceMonitor Devices { get; }

    /// <summary>Names of all models, sorted.</summary>
    public IReadOnlyList<string> Names => [.. _table.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal)];

    /// <summary>What <c>/ping</c> says.</summary>
    public ServerHealth Health
    {
        get
        {
            var health = ServerHealth.Healthy;
            foreach (var entry in _table.Entries)
            {
                var version = entry.Default;
                var wanted = version.Configuration.MinWorkers;
                if (wanted == 0) continue;
                var ready = version.ReadyWorkers;
                if (ready == 0) return ServerHealth.Unhealthy;
                if (ready < wanted) health = ServerHealth.PartialHealthy;
            }

            return health;
        }
    }

    /// <summary>The version that a request is for. Hot path.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <exception cref="ModelNotFoundException">No such model.</exception>
    /// <exception cref="ModelVersionNotFoundException">No such version.</exception>
    public ModelVersion Resolve(string model, string? version = null) => _table.Resolve(model, version);

    /// <summary>As <see cref="Resolve"/>, from pieces of a path and without an exception. Hot path: allocates nothing.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version; empty for the default.</param>
    /// <returns>Null if there is none of that very name.</returns>
    public ModelVersion? Find(ReadOnlySpan<char> model, ReadOnlySpan<char> version) => _table.Find(model, version);

    /// <summary>Brings the series that nobody updates by itself up to date; before a scrape. Asks the GPUs' driver, which takes milliseconds.</summary>
    public void Observe()
    {
        var readings = Devices.Readings;
        if (readings.Count > 0) DeviceMetrics.Update(readings);
        foreach (var version in _table.Versions) version.Observe(hasDevices: readings.Count > 0);
    }

    /// <summary>All versions of all models.</summary>
    public IReadOnlyList<ModelVersion> AllVersions => [.. _table.Versions];

    /// <summary>All versions of a model, in version order.</summary>
    /// <param name="model">The model's name.</param>
    /// <exception cref="ModelNotFoundException">No such model.</exception>
    public IReadOnlyList<ModelVersion> Versions(string model) =>
        _table.Get(model) is { } entry ? [.. entry.Versions.Values] : throw new ModelNotFoundException($"Model not found: {ShownText.Of(model)}");

    /// <summary>Registers a version and starts its workers.</summary>
    /// <param name="request">What to register.</param>
    /// <param name="cancellation">Stops fetching from another machine; after that it stops waiting, and the registration goes on.</param>
    /// <returns>The version.</returns>
    /// <exception cref="ServeException">
    /// 400 (not a model that can be served, or not to be fetched), 404 (nothing there, or not allowed), 409 (registered
    /// already), 500 (synchronous, and the workers did not start: the version is unregistered again), 507 (likewise, for want of
    /// memory).
    /// </exception>
    public async Task<ModelVersion> RegisterAsync(RegistrationRequest request, CancellationToken cancellation)
    {
        using var fetching = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, cancellation);
        var source = await OpenAsync(request, fetching.Token).ConfigureAwait(false);
        ModelVersion version;
        try
        {
            version = Add(source, request);
        }
        catch (ServeException)
        {
            _opener.Discard(source);
            throw;
        }

        var workers = version.Configuration.MinWorkers;
        var settled = version.StartWorkersAsync();
        await SaveAsync().ConfigureAwait(false);
        if (!request.Synchronous || workers == 0) return version;

        await settled.WaitAsync(cancellation).ConfigureAwait(false);
        await AwaitReplacedAsync(version, workers, cancellation).ConfigureAwait(false);

        // Fewer where it was scaled meanwhile.
        if (version.ReadyWorkers >= Math.Min(workers, version.Configuration.MinWorkers)) return version;
        var failure = Failed(version);
        await DiscardAsync(version, Remove(version, TimeSpan.Zero)).ConfigureAwait(false);
        await SaveAsync().ConfigureAwait(false);
        throw failure;
    }

    /// <summary>Changes how many workers a version has.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <param name="minWorkers">The new minimum.</param>
    /// <param name="maxWorkers">The new maximum.</param>
    /// <param name="synchronous">Wait until the workers are there, and those too many have drained and left.</param>
    /// <param name="cancellation">Stops waiting; the scaling goes on.</param>
    /// <exception cref="ServeException">400 (a number out of range), 404, 500 (synchronous, and workers did not start), 507 (likewise, for want of memory).</exception>
    public async Task ScaleAsync(string model, string? version, int minWorkers, int maxWorkers, bool synchronous, CancellationToken cancellation)
    {
        RegistrationSettings.CheckWorkers(minWorkers, maxWorkers);
        ModelVersion found;
        lock (_gate)
        {
            found = Resolve(model, version);
            _managed.Change(model);
        }

        var settled = found.SetWorkersAsync(new WorkerRange(minWorkers, maxWorkers));
        await SaveAsync().ConfigureAwait(false);
        if (!synchronous) return;

        await settled.WaitAsync(cancellation).ConfigureAwait(false);
        await AwaitReplacedAsync(found, minWorkers, cancellation).ConfigureAwait(false);
        if (found.ReadyWorkers >= minWorkers) return;

        // Unregistered meanwhile, which ended it.
        if (_table.Get(model)?.Versions.ContainsValue(found) != true) throw new ModelNotFoundException($"Model not found: {model}");
        throw Failed(found);
    }

    /// <summary>Makes a version the default.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">The version.</param>
    /// <exception cref="ServeException">404: no such model or version.</exception>
    public async Task SetDefaultAsync(string model, string version)
    {
        lock (_gate)
        {
            if (_table.Get(model) is not { } entry) throw new ModelNotFoundException($"Model not found: {ShownText.Of(model)}");
            if (!entry.Versions.TryGetValue(version, out var found)) throw new ModelVersionNotFoundException($"Model version {version} does not exist for model {model}");
            _table.Put(entry with { Default = found });
            _managed.ChangeDefault(model);
        }

        await SaveAsync().ConfigureAwait(false);
    }

    /// <summary>Drains and removes a version.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <param name="cancellation">Stops waiting; the removal goes on.</param>
    /// <exception cref="ServeException">403 (the default version while others exist), 404, 408 (not within <c>unregisterTimeout</c>).</exception>
    public async Task UnregisterAsync(string model, string? version, CancellationToken cancellation)
    {
        ModelVersion? found;
        Task left;
        lock (_gate) (found, left) = Unregister(model, version);
        try
        {
            await SaveAsync().ConfigureAwait(false);
        }
        catch (ServeException)
        {
            // It is gone until a restart, which may bring it back: what was fetched for it stays.
            await left.ConfigureAwait(false);
            throw;
        }

        if (found is null) return;
        try
        {
            await DiscardAsync(found, left).WaitAsync(_configuration.UnregisterTimeout, _time, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new RequestTimeoutException($"Timed out while cleaning resources: {model}");
        }
    }

    /// <summary>Refuses new requests, finishes those accepted within <c>drainTimeout</c>, then stops all workers.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_isDisposed) return;
            _isDisposed = true;
        }

        await _stopping.CancelAsync().ConfigureAwait(false);
        List<ModelVersion> all;
        lock (_gate) all = [.. _table.Versions, .. _replacements];
        foreach (var version in all) version.BeginDrain();
        List<Task> left;
        lock (_gate)
        {
            foreach (var version in all) Leave(version, _configuration.DrainTimeout);
            left = [.. _leaving.Values];
        }

        await Task.WhenAll(left).ConfigureAwait(false);
        await _monitor.DisposeAsync().ConfigureAwait(false);
        _environment.Spawner.Dispose();
        _snapshots?.Dispose();
        try
        {
            if (_snapshots is null) _downloads.RemoveAll();
            Directory.Delete(_environment.Settings.RuntimeFolder, recursive: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody else keeps files there (a configured runtimeFolder), or it is not to be written any more: it stays.
        }
    }

    private static ServeException Failed(ModelVersion version)
    {
        var failure = version.Failure;
        var message = $"Failed to start workers for model {version.Name} version: {version.Version}: {failure?.Reason ?? "they were replaced meanwhile"}";
        return failure?.LacksMemory == true ? new OutOfResourcesException(message) : new InternalServerException(message);
    }

    private async Task SaveAsync()
    {
        try
        {
            await _writer.SaveAsync().ConfigureAwait(false);
        }
        catch (ServeException e)
        {
            Log.NotSaved(_log, e.Message);
            throw;
        }
    }

    /// <summary>Opens what is to be registered, from wherever it comes.</summary>
    /// <exception cref="ServiceUnavailableException">The server stops.</exception>
    private async Task<ModelSource> OpenAsync(RegistrationRequest request, CancellationToken cancellation)
    {
        try
        {
            return await _opener.OpenAsync(request, cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            throw Stops();
        }
    }

    // A worker that died while others started is being replaced: no reason to fail.
    private static async Task AwaitReplacedAsync(ModelVersion version, int workers, CancellationToken cancellation)
    {
        while (version.ReadyWorkers < workers && version.WhenSettled() is { } replaced) await replaced.WaitAsync(cancellation).ConfigureAwait(false);
    }

    private static ServiceUnavailableException Stops() => new("The server stops.", TimeSpan.FromSeconds(5));

    /// <summary>Registers what was opened: a change of the management API.</summary>
    private ModelVersion Add(ModelSource source, RegistrationRequest request)
    {
        var (configuration, warnings) = RegistrationSettings.Apply(source, request);
        lock (_gate)
        {
            var version = Add(source, configuration, request, RegistrationSettings.Workers(source, request), isLoadedAtStartup: false);
            foreach (var warning in warnings) Log.Warning(_log, version.Name, version.Version, warning);
            _managed.Change(version.Name);
            return version;
        }
    }

    private ModelVersion Add(ModelSource source, ModelConfiguration configuration, RegistrationRequest? request, WorkerRange? workers, bool isLoadedAtStartup)
    {
        lock (_gate)
        {
            if (_isDisposed) throw Stops();
            var entry = _table.Get(source.Name);
            if (entry?.Versions.ContainsKey(source.Version) == true) throw new ConflictStatusException($"Model version {source.Version} is already registered for model {source.Name}");

            if (_replacements.Any(loading => loading.Name == source.Name && loading.Version == source.Version)) throw new ConflictStatusException($"Model version {source.Version} of model {source.Name} is being loaded by another call");

            configuration = WithInstances(configuration);
            if (workers is not null) configuration = configuration with { MinWorkers = workers.Min, MaxWorkers = workers.Max };
            var version = new ModelVersion(source, configuration, workers, isLoadedAtStartup, _environment, _loggers, Namesakes(source.Name, source.Version).FirstOrDefault()) { Request = request };
            entry ??= new ModelEntry(source.Name, version, ImmutableSortedDictionary.Create<string, ModelVersion>(VersionOrder.Instance));

            // At start the store is read in version order and the highest becomes the default; later, as in TorchServe, the
            // default stays until it is set, and so it does for a model that the management API has changed.
            var isChosen = _managed.Registered(source.Name, source.Version) || isLoadedAtStartup && !_managed.IsChanged(source.Name);
            _table.Put(entry with { Default = isChosen ? version : entry.Default, Versions = entry.Versions.Add(source.Version, version) });
            TakeOver(version);
            Log.Registered(_log, source.Name, source.Version, source.Url);
            foreach (var warning in source.Warnings) Log.Warning(_log, source.Name, source.Version, warning);
            return version;
        }
    }

    private static ModelConfiguration WithInstances(ModelConfiguration configuration) => configuration with { Instances = DefaultInstances.For(configuration, Environment.ProcessorCount) };

    /// <summary>Takes a version out of the table, under the gate; null for one that only a snapshot knows. The task ends when it is gone.</summary>
    private (ModelVersion? Version, Task Left) Unregister(string model, string? version)
    {
        if (version is not null && _table.Get(model)?.Versions.ContainsKey(version) != true && _managed.IsWaiting(model, version))
        {
            _managed.Unregister(model, version, comesBack: true);
            return (null, Task.CompletedTask);
        }

        var found = Resolve(model, version);
        if (found.IsDefault && _table.Get(model)!.Versions.Count > 1) throw new InvalidModelVersionException($"Cannot remove default version for model {model}");
        return (found, Remove(found, _configuration.DrainTimeout));
    }

    private int CountWorkers()
    {
        var count = 0;
        foreach (var version in _table.Versions) count += version.Configuration.MinWorkers;
        return count;
    }

    private void Check()
    {
        // A frontend that was stopped itself (a debugger, a laptop's lid) has heard nobody: that is not the workers' fault.
        var now = _time.GetTimestamp();
        if (_time.GetElapsedTime(Interlocked.Exchange(ref _lastCheck, now), now) > _configuration.HeartbeatTimeout / 2) Volatile.Write(ref _wasStopped, true);

        // The timer does not wait for a check that takes long, and two at once would only hold each other up.
        if (Interlocked.Exchange(ref _isChecking, true)) return;
        try
        {
            CheckVersions(forgiveSilence: Interlocked.Exchange(ref _wasStopped, false));
        }
        finally
        {
            Volatile.Write(ref _isChecking, false);
        }
    }

    private void CheckVersions(bool forgiveSilence)
    {
        foreach (var version in _table.Versions) version.Check(forgiveSilence);
        ModelVersion[] replacements;
        lock (_gate) replacements = [.. _replacements];
        foreach (var version in replacements) version.Check(forgiveSilence);
    }

    private static partial class Log
    {
        [LoggerMessage(31, LogLevel.Information, "registered {Model} version {Version} from {Url}")]
        public static partial void Registered(ILogger log, string model, string version, string url);

        [LoggerMessage(32, LogLevel.Information, "unregistered {Model} version {Version}")]
        public static partial void Unregistered(ILogger log, string model, string version);

        [LoggerMessage(34, LogLevel.Error, "no model is loaded from the store: {Reason}")]
        public static partial void NothingLoaded(ILogger log, string reason);

        [LoggerMessage(33, LogLevel.Error, "{Url} is not served: {Reason}")]
        public static partial void NotLoaded(ILogger log, string url, string reason);

        [LoggerMessage(37, LogLevel.Warning, "what the management API changes will not survive a restart: {Folder} cannot be used, perhaps another server uses it (snapshotFolder): {Reason}")]
        public static partial void NotKept(ILogger log, string folder, string reason);

        [LoggerMessage(39, LogLevel.Error, "{Reason}")]
        public static partial void NotSaved(ILogger log, string reason);

        [LoggerMessage(38, LogLevel.Warning, "{Model} version {Version}: {Words}")]
        public static partial void Warning(ILogger logger, string model, string version, string words);
    }
}
