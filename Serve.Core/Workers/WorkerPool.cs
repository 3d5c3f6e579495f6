using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Devices;
using Serve.Core.Memory;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;

namespace Serve.Core.Workers;

/// <summary>
/// The workers of one model version: as many places as it was scaled to. Adding and removing places is serialized by one
/// lock; filling them is each place's own affair.
/// </summary>
internal sealed class WorkerPool
{
    private static int _lastId = 8999;

    private readonly string _model;
    private readonly string _version;
    private readonly string _folder;
    private readonly WorkerSettings _settings;
    private readonly WorkerSpawner _spawner;
    private readonly InferenceScheduler _scheduler;
    private readonly ModelMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Action _changed;
    private readonly Func<int> _hostWorkers;
    private readonly DeviceMonitor _devices;
    private readonly SharedBodies? _bodies;
    private readonly Lock _gate = new();
    private readonly List<WorkerPlace> _places = [];
    private readonly List<WorkerPlace> _leaving = [];
    private volatile WorkerLoss? _lastLoss;
    private ModelConfiguration _configuration;
    private bool _isClosed;
    private int _nextDevice;

    /// <summary>Creates an empty pool.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">Its version.</param>
    /// <param name="folder">The model's folder.</param>
    /// <param name="configuration">Its configuration.</param>
    /// <param name="shared">What all pools share.</param>
    /// <param name="scheduler">Where ready workers go.</param>
    /// <param name="metrics">The version's instruments.</param>
    /// <param name="bodies">Where its workers read bodies; null: nowhere.</param>
    /// <param name="log">Where it logs.</param>
    /// <param name="changed">Called after each change of any worker's state.</param>
    public WorkerPool(string model, string version, string folder, ModelConfiguration configuration, WorkerEnvironment shared, InferenceScheduler scheduler, ModelMetrics metrics, SharedBodies? bodies, ILogger log, Action changed)
    {
        _model = model;
        _version = version;
        _folder = folder;
        _configuration = configuration;
        _settings = shared.Settings;
        _spawner = shared.Spawner;
        _time = shared.Time;
        _hostWorkers = shared.HostWorkers;
        _devices = shared.Devices;
        _scheduler = scheduler;
        _metrics = metrics;
        _bodies = bodies;
        _log = log;
        _changed = changed;
    }

    /// <summary>Places that are not leaving.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _places.Count;
        }
    }

    /// <summary>Workers that take requests.</summary>
    public int ReadyCount
    {
        get
        {
            lock (_gate) return _places.Count(place => place.IsReady);
        }
    }

    /// <summary>Places that are not leaving; how many of them have no worker yet that takes requests; and how many have given up.</summary>
    public (int Places, int Starting, int Failed) Census
    {
        get
        {
            lock (_gate)
            {
                // Each is asked once: it may change meanwhile. One that had given up, and is ready again, is ready.
                var (starting, failed) = (0, 0);
                foreach (var place in _places)
                {
                    if (place.IsReady) continue;
                    if (place.IsFailed) failed++;
                    else starting++;
                }

                return (_places.Count, starting, failed);
            }
        }
    }

    /// <summary>Whether every place has given up.</summary>
    public bool HasFailed
    {
        get
        {
            lock (_gate) return _places.Count > 0 && _places.TrueForAll(place => place.IsFailed);
        }
    }

    /// <summary>Why a worker failed last; null if all is well.</summary>
    public WorkerFailure? Failure
    {
        get
        {
            lock (_gate) return _places.FirstOrDefault(place => place.IsFailed)?.Failure ?? _places.FirstOrDefault(place => place.Failure is not null)?.Failure;
        }
    }

    /// <summary>The worker that was lost last; null: none was.</summary>
    public WorkerLoss? LastLoss => _lastLoss;

    /// <summary>What a ready worker said of the model; null until one was ready.</summary>
    public ReadyMessage? About
    {
        get
        {
            lock (_gate) return _places.Select(place => place.Worker?.About).LastOrDefault(about => about is not null);
        }
    }

    /// <summary>Changes how many workers there are: up to <paramref name="minWorkers"/>, down to <paramref name="maxWorkers"/>, first those that do not serve, then the newest. Failed places try again.</summary>
    /// <returns>Completes when new workers are ready or have failed, and those too many have left.</returns>
    public Task ScaleAsync(int minWorkers, int maxWorkers, ModelConfiguration configuration, TimeSpan? drainLimit)
    {
        List<Task> pending = [];
        lock (_gate)
        {
            // Whoever scales a version while it is unregistered must not leave processes behind that nobody knows of.
            if (_isClosed) (minWorkers, maxWorkers) = (0, 0);
            _configuration = configuration;
            while (_places.Count > maxWorkers)
            {
                var place = _places.FindLast(place => !place.IsReady) ?? _places[^1];
                _places.Remove(place);
                _leaving.Add(place);
                pending.Add(LeaveAsync(place, drainLimit ?? _settings.DrainTimeout));
            }

            foreach (var place in _places)
            {
                if (place.IsFailed) place.Revive();
            }

            while (_places.Count < minWorkers)
            {
                var place = new WorkerPlace(CreateWorker, _spawner, configuration, _time, _log, _changed);
                _places.Add(place);
                _ = place.RunAsync();
            }

            pending.AddRange(_places.Select(place => place.Settled));
        }

        _changed();
        return Task.WhenAll(pending);
    }

    /// <summary>Has all workers leave; none comes any more, whatever is scaled from now on.</summary>
    /// <returns>Completes when they have left.</returns>
    public Task CloseAsync(ModelConfiguration configuration, TimeSpan drainLimit)
    {
        lock (_gate) _isClosed = true;
        return ScaleAsync(0, 0, configuration, drainLimit);
    }

    /// <summary>Completes when every place that is being filled now has a worker or has failed; null if there is none.</summary>
    public Task? WhenSettled()
    {
        lock (_gate)
        {
            var pending = _places.Select(place => place.Settled).Where(settled => !settled.IsCompleted).ToList();
            return pending.Count == 0 ? null : Task.WhenAll(pending);
        }
    }

    /// <summary>For describe: workers, oldest first, those that leave last.</summary>
    public IReadOnlyList<WorkerDescription> Describe() =>
        [.. Places().Where(place => place.Worker is not null).Select(place => place.Worker!.Describe(place.Restarts))];

    /// <summary>What each worker is at; asks no device, which <see cref="Describe"/> does.</summary>
    public IReadOnlyList<WorkerState> Activities() => [.. Places().Select(static place => place.Worker).OfType<PooledWorker>().Select(static worker => worker.Activity)];

    /// <summary>What each worker has written of late.</summary>
    public IReadOnlyList<WorkerTail> Tails(int lines) => [.. Places().Select(static place => place.Worker).OfType<PooledWorker>().Select(worker => worker.Tail(lines))];

    /// <summary>Brings the workers' series of their GPUs up to date.</summary>
    public void ObserveDevices()
    {
        foreach (var place in Places()) place.Worker?.ObserveDevice();
    }

    /// <summary>Looks at every worker's signs of life.</summary>
    /// <param name="forgiveSilence">The frontend itself was stopped for a while: nobody could be heard.</param>
    public void Check(bool forgiveSilence)
    {
        foreach (var place in Places())
        {
            if (place.Worker is not { } worker) continue;
            if (forgiveSilence) worker.ForgiveSilence();
            else worker.Check();
        }
    }

    private WorkerPlace[] Places()
    {
        lock (_gate) return [.. _places, .. _leaving];
    }

    private async Task LeaveAsync(WorkerPlace place, TimeSpan limit)
    {
        await place.LeaveAsync(limit).ConfigureAwait(false);
        lock (_gate) _leaving.Remove(place);
        _changed();
    }

    private PooledWorker CreateWorker()
    {
        var configuration = _configuration;
        var index = configuration.DeviceIds.Count == 0 ? 0 : configuration.DeviceIds[(int)((uint)Interlocked.Increment(ref _nextDevice) % (uint)configuration.DeviceIds.Count)];
        var load = new LoadMessage(
            _model,
            _version,
            _folder,
            configuration,
            new DeviceMessage(configuration.DeviceType, index),
            (int)_settings.HeartbeatInterval.TotalMilliseconds,
            Math.Max(1, _hostWorkers()),
            _settings.Cache,
            _bodies is null ? null : new BodiesMessage(_bodies.Path, _bodies.Length));
        var id = Interlocked.Increment(ref _lastId).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return new PooledWorker(id, _settings, load, _scheduler, _metrics, _time, _log) { Changed = _changed, Lost = loss => _lastLoss = loss, Devices = _devices, Bodies = _bodies };
    }
}
