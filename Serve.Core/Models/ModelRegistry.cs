using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Devices.Nvml;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Core.Workers;

namespace Serve.Core.Models;

/// <summary>
/// Which models and versions exist and which version is the default; registers, scales and unregisters them. Requests read
/// an immutable table; changes replace it under a lock, and never wait for workers while they hold it.
/// </summary>
public sealed partial class ModelRegistry : IAsyncDisposable
{
    private readonly ServerConfiguration _configuration;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _log;
    private readonly ModelStore _store;
    private readonly WorkerEnvironment _environment;
    private readonly ITimer _monitor;
    private readonly Lock _gate = new();
    private volatile FrozenDictionary<string, Entry> _models = FrozenDictionary<string, Entry>.Empty;
    private long _lastCheck;
    private bool _isDisposed;

    /// <summary>Creates an empty registry over the configuration's model store.</summary>
    /// <param name="configuration">The server's settings.</param>
    /// <param name="time">The clock.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <exception cref="ServeException">The worker's executable is not there.</exception>
    public ModelRegistry(ServerConfiguration configuration, TimeProvider time, ILoggerFactory loggers)
    {
        _configuration = configuration;
        _time = time;
        _loggers = loggers;
        _log = loggers.CreateLogger("Serve.Models");
        Devices = new DeviceMonitor(new NvmlProbe(visibleDevices: Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES")), time);
        _environment = new WorkerEnvironment(WorkerSettings.From(configuration), new WorkerSpawner(), time, CountWorkers, Devices);
        _store = new ModelStore(configuration, unpackFolder: _environment.Settings.RuntimeFolder);
        _lastCheck = time.GetTimestamp();
        var interval = configuration.HeartbeatInterval / 2;
        _monitor = time.CreateTimer(static state => ((ModelRegistry)state!).Check(), this, interval, interval);
    }

    /// <summary>The machine's GPUs.</summary>
    public DeviceMonitor Devices { get; }

    /// <summary>Names of all models, sorted.</summary>
    public IReadOnlyList<string> Names => [.. _models.Keys.Order(StringComparer.Ordinal)];

    /// <summary>What <c>/ping</c> says.</summary>
    public ServerHealth Health
    {
        get
        {
            var health = ServerHealth.Healthy;
            foreach (var entry in _models.Values)
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
    public ModelVersion Resolve(string model, string? version = null)
    {
        if (!_models.TryGetValue(model, out var entry)) throw new ModelNotFoundException($"Model not found: {model}");
        if (version is null) return entry.Default;
        return entry.Versions.TryGetValue(version, out var found)
            ? found
            : throw new ModelVersionNotFoundException($"Model version: {version} does not exist for model: {model}");
    }

    /// <summary>As <see cref="Resolve"/>, from pieces of a path and without an exception. Hot path: allocates nothing.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version; empty for the default.</param>
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

    /// <summary>Brings the series of GPUs up to date; before a scrape. Asks their driver, which takes milliseconds.</summary>
    public void ObserveDevices()
    {
        var readings = Devices.Readings;
        if (readings.Count == 0) return;
        DeviceMetrics.Update(readings);
        foreach (var entry in _models.Values)
        {
            foreach (var version in entry.Versions.Values) version.ObserveDevices();
        }
    }

    /// <summary>All versions of a model, in version order.</summary>
    /// <param name="model">The model's name.</param>
    /// <exception cref="ModelNotFoundException">No such model.</exception>
    public IReadOnlyList<ModelVersion> Versions(string model) =>
        _models.TryGetValue(model, out var entry) ? [.. entry.Versions.Values] : throw new ModelNotFoundException($"Model not found: {model}");

    /// <summary>
    /// Registers what the configuration's <c>loadModels</c> names and starts the workers, without waiting for them. A model
    /// that cannot be opened is logged; the server starts all the same.
    /// </summary>
    /// <param name="cancellation">Stops the start.</param>
    public async Task LoadAtStartupAsync(CancellationToken cancellation)
    {
        IReadOnlyList<string> urls;
        try
        {
            urls = _store.AtStartup();
        }
        catch (Exception e) when (e is ServeException or IOException or UnauthorizedAccessException)
        {
            Log.NothingLoaded(_log, e.Message);
            return;
        }

        foreach (var url in urls)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                var source = await Task.Run(() => _store.Open(url), cancellation).ConfigureAwait(false);
                var version = Add(source, source.Configuration, isLoadedAtStartup: true);
                _ = version.ScaleAsync(version.Configuration.MinWorkers, version.Configuration.MaxWorkers);
            }
            catch (Exception e) when (e is ServeException or IOException or UnauthorizedAccessException)
            {
                // One model that cannot be read is no reason not to serve the others.
                Log.NotLoaded(_log, url, e.Message);
            }
        }
    }

    /// <summary>Registers a version and starts its workers.</summary>
    /// <param name="request">What to register.</param>
    /// <param name="cancellation">Stops waiting; the registration goes on.</param>
    /// <returns>The version.</returns>
    /// <exception cref="ServeException">
    /// 400 (not a model that can be served), 404 (nothing there), 409 (registered already), 500 (synchronous, and the workers
    /// did not start: the version is unregistered again).
    /// </exception>
    public async Task<ModelVersion> RegisterAsync(RegistrationRequest request, CancellationToken cancellation)
    {
        var source = await Task.Run(() => _store.Open(request.Url, request.ModelName, request.Handler), CancellationToken.None).ConfigureAwait(false);
        var configuration = source.Configuration;
        var workers = request.InitialWorkers ?? (source.SaysWorkers ? configuration.MinWorkers : 0);
        ModelVersion version;
        try
        {
            configuration = Override(configuration, request) with
            {
                MinWorkers = workers,
                MaxWorkers = Math.Max(workers, source.SaysWorkers ? configuration.MaxWorkers : workers),
            };
            version = Add(source, configuration, isLoadedAtStartup: false);
        }
        catch (ServeException)
        {
            source.Dispose();
            throw;
        }

        var settled = version.ScaleAsync(configuration.MinWorkers, configuration.MaxWorkers);
        if (!request.Synchronous || workers == 0) return version;

        await settled.WaitAsync(cancellation).ConfigureAwait(false);
        if (version.ReadyWorkers >= workers) return version;
        var reason = version.Reason;
        Remove(version);
        await version.DrainAsync(TimeSpan.Zero, _time).ConfigureAwait(false);
        source.Dispose();
        throw new InternalServerException($"Failed to start workers for model {version.Name} version: {version.Version}: {reason}");
    }

    /// <summary>Changes how many workers a version has.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <param name="minWorkers">The new minimum.</param>
    /// <param name="maxWorkers">The new maximum.</param>
    /// <param name="synchronous">Wait until the workers are there, and those too many have drained and left.</param>
    /// <param name="cancellation">Stops waiting; the scaling goes on.</param>
    /// <exception cref="ServeException">400 (a number out of range), 404, 500 (synchronous, and workers did not start).</exception>
    public async Task ScaleAsync(string model, string? version, int minWorkers, int maxWorkers, bool synchronous, CancellationToken cancellation)
    {
        if (minWorkers < 0) throw new BadRequestException($"min_worker is {minWorkers}; it must be 0 or more.");
        if (maxWorkers < minWorkers) throw new BadRequestException("max_worker cannot be less than min_worker.");
        if (maxWorkers > ModelConfigurationReader.MaxWorkers) throw new BadRequestException($"max_worker is {maxWorkers}; it must be at most {ModelConfigurationReader.MaxWorkers}.");
        var found = Resolve(model, version);
        var settled = found.ScaleAsync(minWorkers, maxWorkers);
        if (!synchronous) return;

        await settled.WaitAsync(cancellation).ConfigureAwait(false);

        // A worker that died while others started is being replaced: no reason to fail.
        while (found.ReadyWorkers < minWorkers && found.WhenSettled() is { } replaced) await replaced.WaitAsync(cancellation).ConfigureAwait(false);
        if (found.ReadyWorkers < minWorkers)
        {
            throw new InternalServerException($"Failed to start workers for model {found.Name} version: {found.Version}: {found.Reason ?? "they were replaced meanwhile"}");
        }
    }

    /// <summary>Makes a version the default.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">The version.</param>
    /// <exception cref="ServeException">404: no such model or version.</exception>
    public void SetDefault(string model, string version)
    {
        lock (_gate)
        {
            if (!_models.TryGetValue(model, out var entry)) throw new ModelNotFoundException($"Model not found: {model}");
            if (!entry.Versions.TryGetValue(version, out var found)) throw new ModelVersionNotFoundException($"Model version {version} does not exist for model {model}");
            Replace(entry with { Default = found });
        }
    }

    /// <summary>Drains and removes a version.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <param name="cancellation">Stops waiting; the removal goes on.</param>
    /// <exception cref="ServeException">403 (the default version while others exist), 404, 408 (not within <c>unregisterTimeout</c>).</exception>
    public async Task UnregisterAsync(string model, string? version, CancellationToken cancellation)
    {
        ModelVersion found;
        lock (_gate)
        {
            found = Resolve(model, version);
            if (found.IsDefault && _models[model].Versions.Count > 1) throw new InvalidModelVersionException($"Cannot remove default version for model {model}");
            Remove(found);
        }

        var drained = DrainAndDisposeAsync(found);
        try
        {
            await drained.WaitAsync(_configuration.UnregisterTimeout, _time, cancellation).ConfigureAwait(false);
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

        var all = _models.Values.SelectMany(entry => entry.Versions.Values).ToList();
        foreach (var version in all) version.BeginDrain();
        await Task.WhenAll(all.Select(DrainAndDisposeAsync)).ConfigureAwait(false);
        await _monitor.DisposeAsync().ConfigureAwait(false);
        _environment.Spawner.Dispose();
        try
        {
            Directory.Delete(_environment.Settings.RuntimeFolder, recursive: false);
        }
        catch (IOException)
        {
            // Somebody else keeps files there (a configured runtimeFolder): it stays.
        }
    }

    // The request's own settings, checked by the rules of the file's keys.
    private static ModelConfiguration Override(ModelConfiguration configuration, RegistrationRequest request)
    {
        Dictionary<string, string> values = [];
        Add("handler", request.Handler);
        Add("batchSize", request.BatchSize?.ToString(CultureInfo.InvariantCulture));
        Add("maxBatchDelay", Milliseconds(request.MaxBatchDelay));
        Add("responseTimeout", Milliseconds(request.ResponseTimeout));
        Add("startupTimeout", Milliseconds(request.StartupTimeout));
        return values.Count == 0 ? configuration : ModelConfigurationReader.Override(configuration, values, key => $"parameter {ParameterOf(key)}").Configuration;

        void Add(string key, string? value)
        {
            if (value is not null) values[key] = value;
        }

        static string? Milliseconds(TimeSpan? value) => value is { } span ? $"{(long)span.TotalMilliseconds}ms" : null;
        static string ParameterOf(string key) => string.Concat(key.Select(letter => char.IsUpper(letter) ? $"_{char.ToLowerInvariant(letter)}" : letter.ToString()));
    }

    private async Task DrainAndDisposeAsync(ModelVersion version)
    {
        await version.DrainAsync(_configuration.DrainTimeout, _time).ConfigureAwait(false);
        version.Source.Dispose();
    }

    private ModelVersion Add(ModelSource source, ModelConfiguration configuration, bool isLoadedAtStartup)
    {
        lock (_gate)
        {
            if (_isDisposed) throw new ServiceUnavailableException("The server stops.", TimeSpan.FromSeconds(5));
            _models.TryGetValue(source.Name, out var entry);
            if (entry?.Versions.ContainsKey(source.Version) == true)
            {
                source.Dispose();
                throw new ConflictStatusException($"Model version {source.Version} is already registered for model {source.Name}");
            }

            configuration = configuration with { Instances = DefaultInstances.For(configuration, Environment.ProcessorCount) };
            var version = new ModelVersion(source, configuration, isLoadedAtStartup, _environment, _loggers);
            entry ??= new Entry(source.Name, version, ImmutableSortedDictionary.Create<string, ModelVersion>(VersionOrder.Instance));

            // At start the store is read in version order and the highest becomes the default; later, as in TorchServe, the
            // default stays until it is set.
            Replace(entry with { Default = isLoadedAtStartup ? version : entry.Default, Versions = entry.Versions.Add(source.Version, version) });
            Log.Registered(_log, source.Name, source.Version, source.Url);
            return version;
        }
    }

    private void Remove(ModelVersion version)
    {
        lock (_gate)
        {
            if (!_models.TryGetValue(version.Name, out var entry)) return;
            var rest = entry.Versions.Remove(version.Version);
            if (rest.IsEmpty) _models = _models.Values.Where(other => other != entry).ToFrozenDictionary(other => other.Name);
            else Replace(entry with { Versions = rest, Default = entry.Default == version ? rest.Values.Last() : entry.Default });
            Log.Unregistered(_log, version.Name, version.Version);
        }
    }

    // Under the gate.
    private void Replace(Entry entry)
    {
        foreach (var version in entry.Versions.Values) version.IsDefault = version == entry.Default;
        _models = _models.Values.Where(other => other.Name != entry.Name).Append(entry).ToFrozenDictionary(other => other.Name);
    }

    private int CountWorkers()
    {
        var count = 0;
        foreach (var entry in _models.Values)
        {
            foreach (var version in entry.Versions.Values) count += version.Configuration.MinWorkers;
        }

        return count;
    }

    private void Check()
    {
        // A frontend that was stopped itself (a debugger, a laptop's lid) has heard nobody: that is not the workers' fault.
        var now = _time.GetTimestamp();
        var sinceLast = _time.GetElapsedTime(_lastCheck, now);
        _lastCheck = now;
        var forgive = sinceLast > _configuration.HeartbeatTimeout / 2;
        foreach (var entry in _models.Values)
        {
            foreach (var version in entry.Versions.Values) version.Check(forgive);
        }
    }

    /// <summary>One model: its versions and which is the default.</summary>
    private sealed record Entry(string Name, ModelVersion Default, ImmutableSortedDictionary<string, ModelVersion> Versions);

    private static partial class Log
    {
        [LoggerMessage(31, LogLevel.Information, "registered {Model} version {Version} from {Url}")]
        public static partial void Registered(ILogger log, string model, string version, string url);

        [LoggerMessage(32, LogLevel.Information, "unregistered {Model} version {Version}")]
        public static partial void Unregistered(ILogger log, string model, string version);

        [LoggerMessage(34, LogLevel.Error, "no model is served: {Reason}")]
        public static partial void NothingLoaded(ILogger log, string reason);

        [LoggerMessage(33, LogLevel.Error, "{Url} is not served: {Reason}")]
        public static partial void NotLoaded(ILogger log, string url, string reason);
    }
}
