using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Serve.Core.Devices;
using Serve.Core.Memory;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>
/// One worker process from its start to its end. It never comes back: a replacement is another object with another id.
/// </summary>
internal sealed partial class PooledWorker : IWorkerLinkOwner, IRequestTarget
{
    private readonly WorkerSettings _settings;
    private readonly LoadMessage _load;
    private readonly InferenceScheduler _scheduler;
    private readonly ModelMetrics _metrics;
    private readonly WorkerMetrics _workerMetrics;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly WorkerToken _token = WorkerToken.New();
    private readonly TaskCompletionSource<LoadFailedMessage?> _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _overdue = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _emptied = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Completion> _completions = [];
    private readonly StageWindow _stages = new();
    private readonly WorkerOutput _output;
    private readonly WorkerProcess _process;
    private readonly Lock _gate = new();
    private WorkerLink? _link;
    private WorkerDeath? _killedFor;
    private volatile bool _hasBeenHeard;
    private bool _isGivenUp;
    private bool _isLeaving;
    private bool _hasFaultyMetrics;

    public PooledWorker(string id, WorkerSettings settings, LoadMessage load, InferenceScheduler scheduler, ModelMetrics metrics, TimeProvider time, ILogger log)
    {
        Id = id;
        _settings = settings;
        _load = load;
        _scheduler = scheduler;
        _metrics = metrics;
        _workerMetrics = metrics.ForWorker(id);
        _time = time;
        _log = log;
        _output = new WorkerOutput(time);
        _process = new WorkerProcess(id, time, log);
        StartTime = time.GetUtcNow();
    }

    /// <summary>Unique within the server's life.</summary>
    public string Id { get; }

    /// <summary>When it was started.</summary>
    public DateTimeOffset StartTime { get; }

    /// <summary>Process id; null before the process runs.</summary>
    public int? Pid { get; private set; }

    /// <summary>State, as seen from here.</summary>
    public WorkerState State { get; private set; } = WorkerState.Starting;

    /// <summary>The same, and whether it has something to do.</summary>
    public WorkerState Activity => ActivityWith(_scheduler.OutstandingRows(this));

    /// <summary>From its start until it was ready; null before.</summary>
    public TimeSpan? LoadTime { get; private set; }

    /// <summary>What it said of the model when it became ready.</summary>
    public ReadyMessage? About { get; private set; }

    /// <summary>Its last heartbeat.</summary>
    public GaugeMessage LastGauge { get; private set; } = new();

    /// <summary>Whether it has answered a request: its next failure is not a failure to start.</summary>
    public bool HasServed { get; set; }

    // Its end is on its way; nothing more is to be said of it.
    private bool IsGivenUp
    {
        get
        {
            lock (_gate) return _isGivenUp;
        }
    }

    /// <inheritdoc/>
    public FrameSender Sender => _link!.Sender;

    /// <inheritdoc/>
    public SharedBodyHolds? Holds => _link!.Holds;

    /// <inheritdoc/>
    public WorkerSlot? Slot { get; set; }

    /// <inheritdoc/>
    public bool IsTouched { get; set; }

    /// <inheritdoc/>
    public bool WasIdle { get; set; }

    /// <inheritdoc/>
    public void Flush(bool onThisThread) => Sender.Flush(onThisThread);

    /// <summary>Knows the memory that it takes on GPUs.</summary>
    public required DeviceMonitor Devices { private get; init; }

    /// <summary>Where bodies lie that its Load offered it; null: nowhere.</summary>
    public SharedBodies? Bodies { private get; init; }

    /// <summary>Called after each change of <see cref="State"/>.</summary>
    public Action? Changed { get; init; }

    /// <summary>Told of its end, unless it was asked to leave.</summary>
    public Action<WorkerLoss>? Lost { get; init; }

    /// <summary>Starts the process and waits until it is ready, or has failed; then until it has ended.</summary>
    /// <param name="spawner">Starts processes.</param>
    /// <param name="startupTimeout">From start to Ready.</param>
    /// <param name="ready">Called when it is ready.</param>
    /// <returns>How it ended.</returns>
    public async Task<WorkerEnd> LiveAsync(WorkerSpawner spawner, TimeSpan startupTimeout, Action ready)
    {
        _metrics.WorkerStarted();
        try
        {
            var (reason, failure) = await ServeAsync(spawner, startupTimeout, ready).ConfigureAwait(false);
            return await EndAsync(reason, failure).ConfigureAwait(false);
        }
        finally
        {
            // One that has died has nothing any more: whoever drains it need not wait.
            _emptied.TrySetResult();
            _ended.TrySetResult();
        }
    }

    /// <summary>It is never started: the place was given up first.</summary>
    public void Forgo()
    {
        _workerMetrics.Dispose();
        _ended.TrySetResult();
    }

    /// <summary>Lets it finish what it has, within the limit, and leave.</summary>
    public async Task LeaveAsync(TimeSpan limit)
    {
        lock (_gate)
        {
            if (_isLeaving) return;
            _isLeaving = true;
        }

        var wasServing = State is WorkerState.Ready or WorkerState.Busy;
        if (wasServing) SetState(WorkerState.Draining);
        if (!_scheduler.DrainWorker(this))
        {
            try
            {
                await _emptied.Task.WaitAsync(limit, _time).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                Log.DrainTimedOut(_log, Id, limit.TotalSeconds);
            }
        }

        if (wasServing && _link is { } link)
        {
            link.Sender.Enqueue(FrameType.Stop, 0, 0, []);
            link.Sender.Flush(onThisThread: true);
        }
        else
        {
            // It has no requests, and while it loads a model it may not listen.
            Kill(null);
        }

        try
        {
            await _ended.Task.WaitAsync(TimeSpan.FromSeconds(5), _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // From here on its end has a limit of its own.
            Kill(null);
            await _ended.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Looks for signs of life; called by the pool's monitor.</summary>
    public void Check()
    {
        if (_link is not { } link || State is WorkerState.Stopped or WorkerState.Failed || IsGivenUp) return;

        // One that has never been heard is still starting, which on a busy machine takes its time: startupTimeout is for that.
        var silence = _time.GetElapsedTime(link.LastHeardTimestamp);
        if (_hasBeenHeard && silence > _settings.HeartbeatTimeout)
        {
            Log.Silent(_log, Id, Pid ?? 0, silence.TotalSeconds);
            Kill(WorkerDeath.Heartbeat);
            return;
        }

        var age = _scheduler.OldestWorkAge(this);
        if (age > _load.Configuration.ResponseTimeout)
        {
            Log.Stuck(_log, Id, Pid ?? 0, age.TotalSeconds);
            Kill(WorkerDeath.ResponseTimeout);
        }
    }

    /// <summary>Treats it as heard now, after the frontend itself was stopped for a while.</summary>
    public void ForgiveSilence() => _link?.ForgiveSilence();

    /// <summary>For describe.</summary>
    public WorkerDescription Describe(int restarts)
    {
        var rows = _scheduler.OutstandingRows(this);
        return new WorkerDescription
        {
            Id = Id,
            StartTime = StartTime,
            State = ActivityWith(rows),
            LoadTime = LoadTime,
            Pid = Pid,
            MemoryBytes = LastGauge.ResidentBytes,
            DeviceMemoryBytes = DeviceMemoryBytes,
            Gpu = Gpu,
            Stages = _stages.Lately,
            Device = About?.Device,
            Restarts = restarts,
            OutstandingRows = rows,
        };
    }

    /// <summary>What it has written of late.</summary>
    public WorkerTail Tail(int lines) => new(Id, Pid, State, _output.Tail(lines));

    /// <summary>Brings the series that nobody updates by itself up to date; before a scrape.</summary>
    public void ObserveDevice() => _workerMetrics.UpdateDeviceMemory(DeviceMemoryBytes);

    private WorkerState ActivityWith(int rows) => State == WorkerState.Ready && rows > 0 ? WorkerState.Busy : State;

    private long? DeviceMemoryBytes => Gpu is not null && Pid is { } pid ? Devices.MemoryOf(pid) : null;

    private DeviceReading? Gpu => About is { Device: { } device } && device.StartsWith("gpu", StringComparison.Ordinal) ? Devices.Find(device) : null;

    void IWorkerLinkOwner.Hello(HelloMessage message)
    {
        if (State != WorkerState.Starting) throw new ProtocolException($"It says Hello while it is {State}.");
        if (!_token.Is(message.Token))
        {
            throw new ProtocolException("Its token is not the one that it was given.");
        }

        if (message.Protocol != HelloMessage.Current) throw new ProtocolException($"It speaks version {message.Protocol} of the worker protocol; this server speaks {HelloMessage.Current}.");
        SetState(WorkerState.Loading);
        ProtocolJson.Enqueue(Sender, FrameType.Load, _load, ProtocolJson.Default.LoadMessage);
        Sender.Flush(onThisThread: true);
    }

    void IWorkerLinkOwner.Ready(ReadyMessage message)
    {
        if (State != WorkerState.Loading) throw new ProtocolException($"It says Ready while it is {State}.");
        lock (_gate)
        {
            // Said too late: nobody would take it from the scheduler again.
            if (_isGivenUp || _isLeaving) return;
            About = message;
            if (message.ReadsBodies && Bodies is { } bodies)
            {
                _link!.Holds = new SharedBodyHolds(bodies);
                bodies.Use();
            }

            State = WorkerState.Ready;
            _scheduler.AddWorker(this, Math.Max(1, message.Credit), message.WarmUp);
        }

        Changed?.Invoke();
        _loaded.TrySetResult(null);
    }

    void IWorkerLinkOwner.LoadFailed(LoadFailedMessage message)
    {
        if (State != WorkerState.Loading) throw new ProtocolException($"It says LoadFailed while it is {State}.");
        _loaded.TrySetResult(message);
    }

    void IWorkerLinkOwner.Gauge(GaugeMessage message)
    {
        if (State == WorkerState.Starting) throw new ProtocolException("It says Gauge before Hello.");
        LastGauge = message;
        _hasBeenHeard = true;
        var stages = _stages.Add(message);
        _workerMetrics.Update(message.ResidentBytes, message.AllocatedBytes, stages, message.Stages?.CopiedRows ?? 0, message.Stages?.PaddedRows ?? 0);
        if (_workerMetrics.UpdateCustom(message.Metrics) is not { } fault || _hasFaultyMetrics) return;
        _hasFaultyMetrics = true;
        Log.FaultyMetrics(_log, Id, fault);
    }

    bool IWorkerLinkOwner.Apply(List<LinkEvent> events, List<ulong> ids)
    {
        var answersSoon = _scheduler.Apply(this, events, ids, _completions);
        if (_isLeaving && _scheduler.IsEmpty(this)) _emptied.TrySetResult();
        return answersSoon;
    }

    void IWorkerLinkOwner.Closed(string reason)
    {
        _loaded.TrySetException(new WorkerStartException(reason));
        _closed.TrySetResult(reason);
    }

    // Returns why it ended, or must be ended, and what it said if it could not load the model.
    private async Task<(string Reason, LoadFailedMessage? Failure)> ServeAsync(WorkerSpawner spawner, TimeSpan startupTimeout, Action ready)
    {
        using var startup = new CancellationTokenSource(startupTimeout, _time);
        try
        {
            await ConnectAsync(spawner, startup.Token).ConfigureAwait(false);
            var end = SocketEndAsync();
            await Task.WhenAny(_loaded.Task, end).WaitAsync(startup.Token).ConfigureAwait(false);
            if (!_loaded.Task.IsCompleted) return (await end.ConfigureAwait(false), null);
            if (await _loaded.Task.ConfigureAwait(false) is { } failure)
            {
                Kill(WorkerDeath.LoadFailed);
                return (failure.Message, failure);
            }

            LoadTime = _time.GetUtcNow() - StartTime;
            _metrics.ModelLoaded(LoadTime.Value);
            ready();
            return (await end.ConfigureAwait(false), null);
        }
        catch (OperationCanceledException)
        {
            Kill(WorkerDeath.StartupTimeout);
            return ($"it was not ready within {startupTimeout.TotalSeconds:0.###} s (startupTimeout)", null);
        }
        catch (WorkerStartException e)
        {
            return (e.Message, null);
        }
        catch (Exception e)
        {
            // No descriptor, no thread or no memory left: a failed start like another, which must not cost the place.
            Log.Broken(_log, e, Id);
            Kill(WorkerDeath.Exited);
            return ($"it could not be served by: {e.Message}", null);
        }
    }

    private async Task ConnectAsync(WorkerSpawner spawner, CancellationToken cancellation)
    {
        var start = new WorkerStart(Id, _settings, _load.ModelFolder, _token.Text, _output, _log);
        var socket = await start.ConnectAsync(spawner, Started, Task.WhenAny(_process.Exited, _overdue.Task), cancellation).ConfigureAwait(false);
        try
        {
            _link = new WorkerLink(socket, this, _time, $"serve-{Id}", onSocketThread: _settings.CompleteInline);
        }
        finally
        {
            if (_link is null) socket.Dispose();
        }

        _link.Start();
    }

    private void Started(Process process)
    {
        Pid = process.Id;
        _process.Started(process);
        lock (_gate)
        {
            // LeaveAsync found no process to stop.
            if (_isLeaving) throw new WorkerStartException("it was told to leave while it started");
        }
    }

    private void SetState(WorkerState state)
    {
        State = state;
        Changed?.Invoke();
    }

    private static partial class Log
    {
        [LoggerMessage(2, LogLevel.Warning, "worker {Worker} ended: {Reason}")]
        public static partial void Ended(ILogger log, string worker, string reason);

        [LoggerMessage(3, LogLevel.Warning, "worker {Worker} (pid {Pid}) has shown no sign of life for {Seconds:0.0} s and is killed")]
        public static partial void Silent(ILogger log, string worker, int pid, double seconds);

        [LoggerMessage(4, LogLevel.Warning, "worker {Worker} (pid {Pid}) has held a batch for {Seconds:0.0} s, longer than responseTimeout, and is killed")]
        public static partial void Stuck(ILogger log, string worker, int pid, double seconds);

        [LoggerMessage(8, LogLevel.Warning, "worker {Worker} tells of metrics that are not exported: {Reason}")]
        public static partial void FaultyMetrics(ILogger log, string worker, string reason);

        [LoggerMessage(9, LogLevel.Error, "worker {Worker} (pid {Pid}) was killed and has not ended within {Seconds:0.0} s; it is given up, and what it holds stays with it until it ends")]
        public static partial void Lingers(ILogger log, string worker, int pid, double seconds);

        [LoggerMessage(10, LogLevel.Error, "worker {Worker} is given up")]
        public static partial void Broken(ILogger log, Exception error, string worker);

        [LoggerMessage(5, LogLevel.Warning, "worker {Worker} has not finished within {Seconds:0.0} s (drainTimeout) and is stopped")]
        public static partial void DrainTimedOut(ILogger log, string worker, double seconds);
    }
}
