using System.Text.Json;
using Microsoft.Extensions.Logging;
using Serve.Core.Caching;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Memory;
using Serve.Core.Models.Repository;
using Serve.Core.Models.Snapshots;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Tensors;
using Serve.Core.Workers;

namespace Serve.Core.Models;

/// <summary>One registered version of a model: its queue, its workers, its state.</summary>
public sealed partial class ModelVersion
{
    private readonly WorkerPool _pool;
    private readonly InferenceScheduler _scheduler;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly bool _isLoadedAtStartup;
    private readonly ModelSource _source;
    private readonly Autoscaler? _autoscaler;
    private readonly ResponseCache? _cache;
    private readonly CacheMetrics? _cacheMetrics;
    private readonly Lazy<IReadOnlyList<string>> _labels;
    private ModelConfiguration _configuration;
    private volatile ReadyMessage? _about;
    private volatile ModelSignature? _signature;
    private volatile InferenceStatistics? _before;
    private volatile ModelVersion? _successor;
    private volatile bool _isPublished;
    private volatile bool _isDraining;
    private volatile bool _wasReady;
    private int _state = (int)ModelState.Idle;

    internal ModelVersion(ModelSource source, ModelConfiguration configuration, WorkerRange? workers, bool isLoadedAtStartup, WorkerEnvironment environment, ILoggerFactory loggers, ModelVersion? replaces = null)
    {
        Workers = workers;
        _source = source;
        _configuration = configuration;
        _isLoadedAtStartup = isLoadedAtStartup;
        _labels = new(() => configuration.LabelFile is { } file ? LabelFile.Read(Path.Combine(source.Folder, file)) : []);
        _log = loggers.CreateLogger($"{Name}/{Version}");

        // The series go on; what is told by one value is the old one's until this one takes its place.
        _isPublished = replaces is null;
        Metrics = replaces?.Metrics ?? new ModelMetrics(Name, Version);
        _before = replaces is null ? null : Metrics.Statistics(null, []);
        if (configuration.Autoscale is { } autoscale) _autoscaler = new Autoscaler(autoscale, configuration.LatencyTarget, environment.Time);
        _scheduler = new InferenceScheduler($"model \"{Name}\", version {Version}", configuration, environment.Settings.CompleteInline, environment.Time, Metrics, _log);
        if (environment.Settings.BodyMemory > 0 && (Bodies = SharedBodies.TryCreate(environment.Settings.BodyMemory)) is null && OperatingSystem.IsLinux()) Log.NoBodyMemory(_log);
        _pool = new WorkerPool(Name, Version, source.Folder, configuration, environment, _scheduler, Metrics, Bodies, _log, Refresh);
        if (configuration.ResponseCache.Enabled)
        {
            _cacheMetrics = new CacheMetrics(Name, Version);
            _cache = new ResponseCache(configuration.ResponseCache.Size, _scheduler.Submit, environment.Time, Metrics, _cacheMetrics);
        }

        if (_isPublished) Metrics.SetState(ModelState.Idle);
    }

    /// <summary>The model's name.</summary>
    public string Name => _source.Name;

    /// <summary>The version.</summary>
    public string Version => _source.Version;

    /// <summary>Configuration in force.</summary>
    public ModelConfiguration Configuration => _configuration;

    /// <summary>The version's instruments, for transports: requests, durations, bytes.</summary>
    public ModelMetrics Metrics { get; }

    /// <summary>What the version can do now.</summary>
    public ModelState State => (ModelState)Volatile.Read(ref _state);

    /// <summary>Whether at least one worker is ready.</summary>
    public bool IsReady => State == ModelState.Ready;

    /// <summary>Workers that take requests now.</summary>
    public int ReadyWorkers => _pool.ReadyCount;

    /// <summary>
    /// The inputs and outputs of its ONNX model, or those that its handler declares (<see cref="Tensors.IDeclaresTensors"/>): what
    /// a payload that carries tensors must have. Null: none are known, because no worker has been ready yet, or because the
    /// handler declares none. With <c>batchSize</c> 1 there is no batch (<see cref="SignatureCheck.ForRequests"/>).
    /// </summary>
    public ModelSignature? Signature => _signature;

    /// <summary>Labels of its classes, by index; read when they are first asked for. Empty: it has none.</summary>
    public IReadOnlyList<string> Labels => _labels.Value;

    /// <summary>Whether a request that carries tensors may have any number of answers, which come in parts.</summary>
    public bool IsDecoupled => _about is { IsDecoupled: true };

    /// <summary>Where its workers read large bodies, for transports that know the version before they receive; null: nowhere.</summary>
    public SharedBodies? Bodies { get; }

    /// <summary>Whether requests that name no version go to this one. The registry's to change.</summary>
    public bool IsDefault { get; internal set; }

    /// <summary>Which versions the last load of it was to serve; null: it did not say. The registry's to change.</summary>
    public VersionPolicy? Policy { get; internal set; }

    internal ModelSource Source => _source;

    /// <summary>Whether <c>loadModels</c> could bring it back when it was unregistered.</summary>
    internal bool ComesBack => _source.LiesInStore || _isLoadedAtStartup;

    /// <summary>The registration over the management API that it came from; null if the configuration named it.</summary>
    internal RegistrationRequest? Request { get; init; }

    /// <summary>Workers as the management API has set them; null: as the model's configuration says.</summary>
    internal WorkerRange? Workers { get; private set; }

    internal WorkerFailure? Failure => _pool.Failure;

    /// <summary>The version as it is now.</summary>
    public ModelDescription Describe()
    {
        var queued = _scheduler.QueuedRequests;
        var about = _pool.About;
        var workers = _pool.Describe();
        var load = _scheduler.Load;
        return new ModelDescription
        {
            Name = Name,
            Version = Version,
            Url = _source.Url,
            IsDefault = IsDefault,
            LoadedAtStartup = _isLoadedAtStartup,
            Configuration = _configuration,
            State = State,
            Reason = _pool.Failure?.Reason,
            Handler = about?.Handler ?? _configuration.Handler,
            Signature = about?.Signature,
            Notes = about?.Notes ?? [],
            Workers = workers,
            Bottleneck = Bottleneck.Of(workers.Aggregate(default(WorkerStages), static (sum, worker) => sum + worker.Stages)),
            PendingRequests = queued,
            RemainingCapacity = Math.Max(0, load.QueueLimit - queued),
            QueueLimit = load.QueueLimit,
            Load = load.Load,
            BatchCosts = load.Costs,
            LastLoss = _pool.LastLoss,
        };
    }

    /// <summary>What its workers, and the last one that was lost, have written of late.</summary>
    /// <param name="lines">So many lines of each at most, of the 200 that are kept.</param>
    public (IReadOnlyList<WorkerTail> Workers, WorkerLoss? LastLoss) WorkerOutput(int lines)
    {
        var loss = _pool.LastLoss;
        return (_pool.Tails(lines), loss is null ? null : loss with { Output = [.. loss.Output.TakeLast(lines)] });
    }

    /// <summary>What it has done since it was registered, or took another's place.</summary>
    public InferenceStatistics Statistics
    {
        get
        {
            var (last, sizes) = _scheduler.Executed;
            var hits = _cacheMetrics?.Hits ?? default;
            var done = Metrics.Statistics(last, sizes).Since(_before);

            // Those that the cache answers have waited for nothing, and count as waiting all the same: as in Triton.
            return done with { Queue = done.Queue with { Count = done.Queue.Count + hits.Count }, CacheHit = hits, CacheMiss = _cacheMetrics?.Misses ?? default, Responses = _scheduler.Responses?.Read() ?? [] };
        }
    }

    /// <summary>What a restart needs to register it again.</summary>
    internal VersionSnapshot Snapshot() => new()
    {
        Version = Version,
        Url = _source.Url,
        Download = _source.Download,
        Handler = Request?.Handler,
        BatchSize = Request?.BatchSize,
        MaxBatchDelay = Request?.MaxBatchDelay,
        ResponseTimeout = Request?.ResponseTimeout,
        StartupTimeout = Request?.StartupTimeout,
        Overrides = Request?.Overrides,
        Workers = Workers,
    };

    /// <summary>Brings the series that nobody updates by itself up to date; before a scrape.</summary>
    internal void Observe(bool hasDevices)
    {
        if (hasDevices) _pool.ObserveDevices();
        if (_isPublished) Metrics.SetBodyMemory(Bodies?.InUse ?? 0);
    }

    /// <summary>Refuses a request that would be refused anyway, before a transport reads its body. Hot path.</summary>
    /// <exception cref="ServiceUnavailableException">No worker is ready, the version has failed, or it is draining.</exception>
    public void ThrowIfNotServing()
    {
        var state = State;
        if (state is not (ModelState.Ready or ModelState.Recovering) && _successor is null) throw Refuse(state);
    }

    /// <summary>
    /// Runs one request. Takes over <paramref name="payload"/> and releases it, whatever happens. Hot path.
    /// </summary>
    /// <param name="payload">Headers, parts and body.</param>
    /// <param name="options">Priority and timeout, if the client named them.</param>
    /// <param name="clientGone">Cancelled when the client has left: the request leaves the queue, or its row is freed.</param>
    /// <returns>The answer, or its first part (<see cref="InferenceResponse.Parts"/>); dispose it when all is written.</returns>
    /// <exception cref="ServeException">
    /// The answer is an error: 400 (the handler refuses the request), 500, 503 (queue full, no worker, draining), 504; 499
    /// when <paramref name="clientGone"/> was cancelled first.
    /// </exception>
    public ValueTask<InferenceResponse> InferAsync(RequestPayload payload, in InferenceOptions options, CancellationToken clientGone)
    {
        var state = State;
        if (state is not (ModelState.Ready or ModelState.Recovering))
        {
            if (_successor is { } successor)
            {
                payload.LeaveShared();
                return successor.InferAsync(payload, options, clientGone);
            }

            payload.Release();
            return ValueTask.FromException<InferenceResponse>(Refuse(state));
        }

        payload.Trace?.For(Name, Version);
        var levels = _configuration.PriorityLevels;
        var priority = options.Priority is > 0 and var wanted ? wanted : (levels + 1) / 2;
        if (priority > levels)
        {
            payload.Release();
            return ValueTask.FromException<InferenceResponse>(new BadRequestException($"The priority is {priority}; model \"{Name}\" has the levels 1 (first) to {levels} (priorityLevels)."));
        }

        var wished = options.Timeout ?? _configuration.LatencyTarget ?? _configuration.ResponseTimeout;
        var timeout = wished < _configuration.ResponseTimeout ? wished : _configuration.ResponseTimeout;
        var (isClients, rows) = (options.Timeout < _configuration.ResponseTimeout, Math.Max(1, options.Rows));
        if (_cache is not null && !IsDecoupled) return _cache.InferAsync(payload, priority - 1, timeout, isClients, rows, clientGone);
        return _scheduler.Submit(payload, priority - 1, timeout, isClients, clientGone, rows);
    }

    /// <summary>Asks the handler, in one of its workers, what it has to say about itself (<see cref="Handlers.IDescribesItself"/>).</summary>
    /// <param name="clientGone">Cancelled when nobody waits for it any more.</param>
    /// <returns>A JSON value; null if the handler says nothing.</returns>
    /// <exception cref="ServeException">No worker is ready (503), or the handler failed.</exception>
    public async Task<JsonElement?> DescribeHandlerAsync(CancellationToken clientGone)
    {
        if (State != ModelState.Ready)
        {
            throw new ServiceUnavailableException(
                $"Model \"{Name}\" Version {Version} has no worker to serve describe request. Please use scale workers API to add workers.", TimeSpan.FromSeconds(1));
        }

        using var answer = await InferAsync(RequestPayload.Description(), default, clientGone).ConfigureAwait(false);
        if (answer.Body.Length == 0) return null;
        using var document = JsonDocument.Parse(answer.Body);
        return document.RootElement.Clone();
    }

    /// <summary>Changes the number of workers.</summary>
    /// <returns>Completes when new workers are ready or have failed, and those too many have left.</returns>
    /// <param name="minWorkers">The new minimum.</param>
    /// <param name="maxWorkers">The new maximum.</param>
    internal Task ScaleAsync(int minWorkers, int maxWorkers)
    {
        lock (_gate)
        {
            _configuration = _configuration with { MinWorkers = minWorkers, MaxWorkers = maxWorkers };
            return _pool.ScaleAsync(minWorkers, maxWorkers, _configuration, drainLimit: null);
        }
    }

    /// <summary>Changes the number of workers for good, as the management API says: a restart finds it again.</summary>
    /// <returns>As <see cref="ScaleAsync"/>.</returns>
    /// <param name="workers">The new numbers.</param>
    internal Task SetWorkersAsync(WorkerRange workers)
    {
        // Together, so that of two calls at once the same one counts now and after a restart.
        lock (_gate)
        {
            Workers = workers;
            _autoscaler?.Forget();
            return ScaleAsync(workers.Min, workers.Max);
        }
    }

    /// <summary>Starts the workers that its configuration asks for.</summary>
    /// <returns>As <see cref="ScaleAsync"/>.</returns>
    internal Task StartWorkersAsync() => ScaleAsync(_configuration.MinWorkers, _configuration.MaxWorkers);

    /// <summary>Completes when every worker that starts now is ready or has failed; null if none starts.</summary>
    internal Task? WhenSettled() => _pool.WhenSettled();

    /// <summary>Gives requests that come from now on to the version that has taken its place; it finishes what it has.</summary>
    internal void LeaveTo(ModelVersion successor)
    {
        lock (_gate) _isPublished = false;
        _successor = successor;

        // Also those that were let in when it was not there yet: the cache may hold a request for milliseconds. They go by its
        // rules, and what the client did not say is as its configuration has it.
        _scheduler.PassOn((payload, lane, timeout, isClients, clientGone, rows) =>
        {
            payload.LeaveShared();
            return successor.InferAsync(payload, new InferenceOptions(Math.Min(lane + 1, successor._configuration.PriorityLevels), isClients ? timeout : null, rows), clientGone);
        });
        BeginDrain();
    }

    /// <summary>Tells its state by the metrics from now on, and counts as its own what is answered from now on.</summary>
    internal void Publish()
    {
        lock (_gate)
        {
            _isPublished = true;
            if (_before is not null) _before = Metrics.Statistics(null, []);
            PublishState(State);
        }
    }

    /// <summary>Refuses new requests from now on.</summary>
    internal void BeginDrain()
    {
        _isDraining = true;
        Refresh();
    }

    /// <summary>Finishes what was accepted within the limit, then stops the workers.</summary>
    internal async Task DrainAsync(TimeSpan limit, TimeProvider time)
    {
        BeginDrain();
        var drain = new VersionDrain(_scheduler, _pool, time, _log);
        await drain.FinishAsync(limit).ConfigureAwait(false);

        // From here on requests are refused that were accepted before: by the cache, which runs one again when the one that it
        // had joined fails, or at a worker that is stopped over them, perhaps one that was leaving already.
        _scheduler.Close(() => Refuse(ModelState.Draining));
        await drain.EndAsync(CloseAsync()).ConfigureAwait(false);
        _scheduler.Dispose();
        Bodies?.Close();
    }

    private Task CloseAsync()
    {
        lock (_gate)
        {
            _configuration = _configuration with { MinWorkers = 0, MaxWorkers = 0 };
            return _pool.CloseAsync(_configuration, TimeSpan.Zero);
        }
    }

    /// <summary>Takes its series out of the scrape, after it has drained.</summary>
    /// <param name="namesakes">Those of the same name and version that are there yet, and have the same series.</param>
    internal void RemoveMetrics(IReadOnlyCollection<ModelVersion> namesakes)
    {
        if (namesakes.Count == 0) Metrics.Dispose();
        if (namesakes.All(static other => other._cacheMetrics is null)) _cacheMetrics?.Dispose();
    }

    internal void Check(bool forgiveSilence)
    {
        _pool.Check(forgiveSilence);
        Bodies?.Trim();
        var load = _scheduler.Load;
        lock (_gate)
        {
            // The state again: whether a worker is busy changes without a word.
            if (_isPublished) PublishState(State);
            if (_isPublished) Metrics.SetLoad(load.Load, load.Costs, load.QueueLimit);
            if (_isPublished) _scheduler.ObserveQueue();
        }

        if (_autoscaler is not null && !_isDraining) Autoscale(_autoscaler, load.Load);
    }

    private void Autoscale(Autoscaler autoscaler, in DispatcherLoad load)
    {
        int workers;
        AutoscaleStep? step;
        lock (_gate)
        {
            // Under the lock, so that numbers that are set by hand meanwhile are not overruled.
            (workers, var starting, var failed) = _pool.Census;
            step = autoscaler.Observe(load, workers, starting, failed, _configuration.MinWorkers, _configuration.MaxWorkers);
            if (step is { } change) _ = _pool.ScaleAsync(change.Workers, change.Workers, _configuration, drainLimit: null);
        }

        if (step is not { } made) return;
        Metrics.Autoscaled(made.Reason);
        Log.Autoscaled(_log, workers, made.Workers, made.Why);
    }

    // After any change of a worker, on whatever thread made it.
    private void Refresh()
    {
        ModelState before, after;
        lock (_gate)
        {
            before = State;
            var (places, ready, hasFailed) = (_pool.Count, _pool.ReadyCount, _pool.HasFailed);
            after = VersionState.Of(_isDraining, places, ready, hasFailed, _wasReady);
            if (after == ModelState.Ready) _wasReady = true;
            Learn(_pool.About); // before the state: who sees Ready sees the signature

            // Before the state too, and while it drains as well: from workers that leave last, requests come back that nobody is there for.
            _scheduler.SetRefusal(VersionState.IsServedByNobody(places, ready, hasFailed) ? () => Refuse(after) : null);
            Volatile.Write(ref _state, (int)after);
            if (_isPublished) PublishState(after);
            if (after == before) return;
        }

        if (after == ModelState.Failed) Log.Failed(_log, _pool.Failure?.Reason ?? "unknown");
        else Log.Changed(_log, before, after);
    }

    // Under the gate.
    private void PublishState(ModelState state)
    {
        var workers = _pool.Activities();
        foreach (var group in Enum.GetValues<WorkerState>()) Metrics.SetWorkers(group, workers.Count(activity => activity == group));
        Metrics.SetWorkersWanted(_pool.Count);
        Metrics.SetLatencyTarget(_configuration.LatencyTarget ?? _configuration.ResponseTimeout);
        Metrics.SetState(state);
        if (state == ModelState.Ready && _pool.About is { } about) Metrics.SetInfo(about.Handler, about.Device);
    }

    private void Learn(ReadyMessage? about)
    {
        if (about is null || about == _about) return;
        _about = about;
        _signature = about.Signature?.ForRequests(_configuration.BatchSize);
        if (about.IsDecoupled) _scheduler.CountResponses();
    }

    private ServiceUnavailableException Refuse(ModelState state)
    {
        var (reason, error) = VersionState.Refusal(state, Name, Version, _pool.Failure?.Reason);
        Metrics.RequestRejected(reason);
        return error;
    }

    private static partial class Log
    {
        [LoggerMessage(21, LogLevel.Information, "{Before} -> {After}")]
        public static partial void Changed(ILogger log, ModelState before, ModelState after);

        [LoggerMessage(23, LogLevel.Error, "the model has failed: {Reason}")]
        public static partial void Failed(ILogger log, string reason);

        [LoggerMessage(24, LogLevel.Information, "autoscale: {Before} -> {After} workers: {Reason}")]
        public static partial void Autoscaled(ILogger log, int before, int after, string reason);

        [LoggerMessage(26, LogLevel.Information, "all bodies go through the workers' sockets: there is no memory to share, or bodyMemory is too small for any")]
        public static partial void NoBodyMemory(ILogger log);
    }
}
