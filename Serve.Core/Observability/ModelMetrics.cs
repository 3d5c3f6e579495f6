using Prometheus;
using Serve.Core.Models;
using Serve.Core.Observability.Custom;
using Serve.Core.Observability.Sampling;
using Serve.Core.Scheduling;
using Serve.Core.Tracing;

namespace Serve.Core.Observability;

/// <summary>
/// The instruments of one model version, looked up once: made when it is registered, disposed when it is unregistered,
/// which takes its series out of the scrape. All members are safe from any thread; counting after disposal is harmless.
/// </summary>
public sealed class ModelMetrics : IDisposable
{
    private static readonly string[] StageLabels = [.. Enum.GetValues<RequestStage>().Select(ServeMetrics.Label)];
    private static readonly string[] RejectLabels = [.. Enum.GetValues<RejectReason>().Select(ServeMetrics.Label)];
    private static readonly string[] ExpiredLabels = [.. Enum.GetValues<ExpiredPlace>().Select(ServeMetrics.Label)];
    private static readonly string[] DeathLabels = [.. Enum.GetValues<WorkerDeath>().Select(ServeMetrics.Label)];
    private static readonly string[] AutoscaleLabels = [.. Enum.GetValues<AutoscaleReason>().Select(ServeMetrics.Label)];
    private static readonly string[] WorkerStateLabels = [.. Enum.GetValues<WorkerState>().Select(ServeMetrics.Label)];
    private static readonly string[] ModelStateLabels = [.. Enum.GetValues<ModelState>().Select(ServeMetrics.Label)];

    private readonly string _model;
    private readonly string _version;
    private readonly Counter.Child?[] _requests = new Counter.Child?[500];
    private readonly Histogram.Child _duration;
    private readonly Histogram.Child[] _stages;
    private readonly Histogram.Child _firstPart;
    private readonly Counter.Child _parts;
    private readonly Gauge.Child _inFlight;
    private readonly Gauge.Child _bodyMemory;
    private readonly Counter.Child _requestBytes;
    private readonly Counter.Child _responseBytes;
    private readonly Histogram.Child _batchSize;
    private readonly Gauge.Child _queueRequests;
    private readonly Gauge.Child _queueCapacity;
    private readonly Counter.Child[] _rejected;
    private readonly Counter.Child[] _expired;
    private readonly Counter.Child _cancelled;
    private readonly Counter.Child _retries;
    private readonly Gauge.Child _latencyTarget;
    private readonly Gauge.Child[] _workers;
    private readonly Gauge.Child _workersWanted;
    private readonly Counter.Child _workerStarts;
    private readonly Counter.Child[] _workerDeaths;
    private readonly Counter.Child[] _autoscaleSteps;
    private readonly Gauge.Child _loadTime;
    private readonly Gauge.Child[] _states;
    private readonly ExemplarGate _exemplars = new(TimeProvider.System);
    private readonly Lock _gate = new();
    private Gauge.Child? _info;
    private LoadMetrics? _load;
    private bool _disposed;
    private long _failures;
    private long _failureTicks;

    /// <summary>The registered model's name.</summary>
    public string Model => _model;

    /// <summary>The version.</summary>
    public string Version => _version;

    /// <summary>Requests whose answer is not written yet.</summary>
    public int InFlight => (int)_inFlight.Value;

    /// <summary>Creates the series of a version, all at zero.</summary>
    /// <param name="model">The registered model's name.</param>
    /// <param name="version">The version.</param>
    public ModelMetrics(string model, string version)
    {
        (_model, _version) = (model, version);
        _requests[100] = ServeMetrics.Requests.WithLabels(model, version, "200");
        _duration = ServeMetrics.RequestDuration.WithLabels(model, version);
        _stages = [.. StageLabels.Select(stage => ServeMetrics.StageDuration.WithLabels(model, version, stage))];
        _firstPart = ServeMetrics.FirstPart.WithLabels(model, version);
        _parts = ServeMetrics.AnswerParts.WithLabels(model, version);
        _inFlight = ServeMetrics.RequestsInFlight.WithLabels(model, version);
        _bodyMemory = ServeMetrics.BodyMemory.WithLabels(model, version);
        _requestBytes = ServeMetrics.RequestBytes.WithLabels(model, version);
        _responseBytes = ServeMetrics.ResponseBytes.WithLabels(model, version);
        _batchSize = ServeMetrics.BatchSize.WithLabels(model, version);
        _queueRequests = ServeMetrics.QueueRequests.WithLabels(model, version);
        _queueCapacity = ServeMetrics.QueueCapacity.WithLabels(model, version);
        _rejected = [.. RejectLabels.Select(reason => ServeMetrics.Rejected.WithLabels(model, version, reason))];
        _expired = [.. ExpiredLabels.Select(place => ServeMetrics.Expired.WithLabels(model, version, place))];
        _cancelled = ServeMetrics.Cancelled.WithLabels(model, version);
        _retries = ServeMetrics.Retries.WithLabels(model, version);
        _latencyTarget = ServeMetrics.LatencyTarget.WithLabels(model, version);
        _workersWanted = ServeMetrics.WorkersWanted.WithLabels(model, version);
        _workers = [.. WorkerStateLabels.Select(state => ServeMetrics.Workers.WithLabels(model, version, state))];
        _workerStarts = ServeMetrics.WorkerStarts.WithLabels(model, version);
        _workerDeaths = [.. DeathLabels.Select(reason => ServeMetrics.WorkerDeaths.WithLabels(model, version, reason))];
        _autoscaleSteps = [.. AutoscaleLabels.Select(reason => ServeMetrics.AutoscaleSteps.WithLabels(model, version, reason))];
        _loadTime = ServeMetrics.ModelLoad.WithLabels(model, version);
        _states = [.. ModelStateLabels.Select(state => ServeMetrics.ModelState.WithLabels(model, version, state))];
    }

    /// <summary>What the version's handler tells of by itself.</summary>
    public CustomMetrics Custom { get; } = new();

    /// <summary>A transport took a request; <see cref="RequestAnswered"/> follows, whatever happens. Hot path.</summary>
    public void RequestAccepted() => _inFlight.Inc();

    /// <summary>A request's answer was written. Hot path.</summary>
    /// <param name="status">HTTP status code; 499 if the client left first.</param>
    /// <param name="duration">Since its headers arrived.</param>
    /// <param name="requestBytes">Bytes of its body.</param>
    /// <param name="responseBytes">Bytes of the answer's body.</param>
    /// <param name="trace">Its trace, for an exemplar; null: it is not traced.</param>
    public void RequestAnswered(int status, TimeSpan duration, long requestBytes, long responseBytes, RequestTrace? trace = null)
    {
        _inFlight.Dec();
        _duration.Observe(duration, ExemplarOf(trace, duration));
        _requestBytes.Inc(requestBytes);
        _responseBytes.Inc(responseBytes);
        if (status >= 400) CountFailure(duration);
        var slot = Math.Clamp(status, 100, 599) - 100;
        (_requests[slot] ?? CountStatus(slot)).Inc();
    }

    /// <summary>A request left a stage. Hot path.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="time">How long it was there.</param>
    /// <param name="exemplar">Its trace, if it is an exemplar (<see cref="ExemplarOf"/>), or null.</param>
    public void StageDone(RequestStage stage, TimeSpan time, RequestTrace? exemplar = null) => _stages[(int)stage].Observe(time, exemplar);

    /// <summary>A request's trace, if histograms show it as an exemplar; else null. What is one stays one.</summary>
    /// <param name="trace">The trace; null: it is not traced.</param>
    /// <param name="took">How long the request has taken so far.</param>
    public RequestTrace? ExemplarOf(RequestTrace? trace, TimeSpan took)
    {
        if (trace is null || trace.IsExemplar) return trace;
        return (trace.IsExemplar = _exemplars.Take(took)) ? trace : null;
    }

    /// <summary>Requests that were answered so far, whatever the answer was.</summary>
    public long RequestsAnswered => _duration.Count;

    /// <summary>What requests have spent in the stages so far; for scrapes.</summary>
    public StageTotals StageTotals
    {
        get
        {
            var requests = _stages[(int)RequestStage.Queue].Count;
            var handler = Sum(RequestStage.Decode) + Sum(RequestStage.Execute) + Sum(RequestStage.Encode);
            var waiting = Sum(RequestStage.DecodeWait) + Sum(RequestStage.Assemble);
            var (queue, transfer) = (Sum(RequestStage.Queue), Sum(RequestStage.Transfer));
            return new StageTotals(requests, queue + waiting, transfer, handler, waiting + handler, queue + transfer + waiting + handler);
        }
    }

    /// <summary>What the version has done since it was registered.</summary>
    /// <param name="last">When a batch was last executed.</param>
    /// <param name="batches">The sizes of batches that were executed.</param>
    public InferenceStatistics Statistics(DateTimeOffset? last, IReadOnlyList<BatchStatistics> batches)
    {
        var requests = _stages[(int)RequestStage.Execute].Count;
        var (failures, failed) = (Interlocked.Read(ref _failures), TimeSpan.FromTicks(Interlocked.Read(ref _failureTicks)));
        return new InferenceStatistics
        {
            LastInference = last,
            Rows = batches.Sum(static size => size.Rows * size.Execute.Count),
            Executions = batches.Sum(static size => size.Execute.Count),
            Success = new Tally(Math.Max(0, _duration.Count - failures), TimeSpan.FromSeconds(Math.Max(0, _duration.Sum - failed.TotalSeconds))),
            Fail = new Tally(failures, failed),
            Queue = Spent(RequestStage.Queue, RequestStage.DecodeWait, RequestStage.Assemble),
            ComputeInput = Spent(RequestStage.Transfer, RequestStage.Decode),
            ComputeInfer = Spent(RequestStage.Execute),
            ComputeOutput = Spent(RequestStage.Encode),
            Batches = batches,
        };

        Tally Spent(params ReadOnlySpan<RequestStage> stages)
        {
            var seconds = 0.0;
            foreach (var stage in stages) seconds += Sum(stage);
            return new Tally(requests, TimeSpan.FromSeconds(seconds));
        }
    }

    /// <summary>What was counted so far, but for the buckets of histograms: those only a scrape tells (<see cref="InstrumentReader"/>).</summary>
    internal VersionReading Read() => VersionReading.Nothing with
    {
        Answered = _duration.Count,
        ClientErrors = CountOf(400, 499),
        ServerErrors = CountOf(500, 599),
        WorkerDeaths = (long)_workerDeaths.Sum(static deaths => deaths.Value),
        BatchRows = _batchSize.Sum,
        Stages = [.. _stages.Select(static (stage, i) => new StageReading(StageLabels[i], stage.Count, stage.Sum))],
    };

    /// <summary>The first part of an answer in parts has come.</summary>
    /// <param name="time">Since its request arrived.</param>
    /// <param name="trace">Its trace, for an exemplar; null: it is not traced.</param>
    public void FirstPart(TimeSpan time, RequestTrace? trace)
    {
        _firstPart.Observe(time, ExemplarOf(trace, time));
        _parts.Inc();
    }

    /// <summary>A further part has come.</summary>
    public void PartArrived() => _parts.Inc();

    /// <summary>A worker began a batch. Hot path.</summary>
    /// <param name="rows">Its rows.</param>
    public void BatchBegun(int rows) => _batchSize.Observe(rows);

    /// <summary>How many requests wait now. Hot path.</summary>
    /// <param name="waiting">Requests.</param>
    public void SetQueueLength(int waiting) => _queueRequests.Set(waiting);

    /// <summary>How much of the memory is in use in which workers read bodies.</summary>
    /// <param name="bytes">Bytes.</param>
    public void SetBodyMemory(long bytes) => _bodyMemory.Set(bytes);

    /// <summary>How many requests may wait.</summary>
    /// <param name="capacity">Requests.</param>
    public void SetQueueCapacity(int capacity) => _queueCapacity.Set(capacity);

    /// <summary>A request was refused on arrival.</summary>
    /// <param name="reason">Why.</param>
    public void RequestRejected(RejectReason reason) => _rejected[(int)reason].Inc();

    /// <summary>A request's deadline passed before its answer.</summary>
    /// <param name="place">Where it was.</param>
    public void RequestExpired(ExpiredPlace place) => _expired[(int)place].Inc();

    /// <summary>What is known of demand and capacity.</summary>
    /// <param name="load">The load.</param>
    /// <param name="costs">What batches of which sizes cost; the sizes stay the same until the model is loaded again.</param>
    /// <param name="queueCapacity">How many requests may wait.</param>
    public void SetLoad(in DispatcherLoad load, IReadOnlyList<BatchCost> costs, int queueCapacity)
    {
        lock (_gate)
        {
            if (_disposed) return;
            if (_load?.IsFor(costs) == false)
            {
                _load.Dispose();
                _load = null;
            }

            _load ??= new LoadMetrics(_model, _version, costs);
            _load.Set(load, costs);
            _queueCapacity.Set(queueCapacity);
        }
    }

    /// <summary>A request's client left before its answer.</summary>
    public void RequestCancelled() => _cancelled.Inc();

    /// <summary>A request goes to another worker because its own died.</summary>
    public void RequestRetried() => _retries.Inc();

    /// <summary>How many workers are in a state.</summary>
    /// <param name="state">The state.</param>
    /// <param name="count">Workers.</param>
    public void SetWorkers(WorkerState state, int count) => _workers[(int)state].Set(count);

    /// <summary>How many workers the version was scaled to.</summary>
    /// <param name="count">Workers.</param>
    public void SetWorkersWanted(int count) => _workersWanted.Set(count);

    /// <summary>How long an answer is of use.</summary>
    /// <param name="target">Since its request arrived.</param>
    public void SetLatencyTarget(TimeSpan target) => _latencyTarget.Set(target.TotalSeconds);

    /// <summary>A worker process was started.</summary>
    public void WorkerStarted() => _workerStarts.Inc();

    /// <summary>A worker was lost.</summary>
    /// <param name="reason">How.</param>
    public void WorkerDied(WorkerDeath reason) => _workerDeaths[(int)reason].Inc();

    /// <summary>The number of workers was changed by itself.</summary>
    /// <param name="reason">Why.</param>
    public void Autoscaled(AutoscaleReason reason) => _autoscaleSteps[(int)reason].Inc();

    /// <summary>A worker became ready.</summary>
    /// <param name="time">Since its process was started.</param>
    public void ModelLoaded(TimeSpan time) => _loadTime.Set(time.TotalSeconds);

    /// <summary>The version is in this state now.</summary>
    /// <param name="state">The state.</param>
    public void SetState(ModelState state)
    {
        for (var i = 0; i < _states.Length; i++) _states[i].Set(i == (int)state ? 1 : 0);
    }

    /// <summary>What serves the version, once known.</summary>
    /// <param name="handler">A stock handler's name, or <c>custom</c>.</param>
    /// <param name="device">For example <c>cpu</c>.</param>
    public void SetInfo(string handler, string device)
    {
        lock (_gate)
        {
            if (_disposed) return;
            _info?.Remove();
            _info = ServeMetrics.ModelInfo.WithLabels(_model, _version, handler, device);
            _info.Set(1);
        }
    }

    /// <summary>The series of one worker; dispose them when it has left.</summary>
    /// <param name="id">The worker's id.</param>
    public WorkerMetrics ForWorker(string id) => new(_model, _version, id, Custom);

    /// <summary>Takes the version's series out of the scrape.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            _info?.Remove();
            _load?.Dispose();
            foreach (var request in _requests) request?.Remove();
        }

        _duration.Remove();
        _firstPart.Remove();
        _batchSize.Remove();
        foreach (var stage in _stages) stage.Remove();
        foreach (var gauge in (Gauge.Child[])[_inFlight, _bodyMemory, _queueRequests, _queueCapacity, _latencyTarget, _workersWanted, _loadTime, .. _workers, .. _states]) gauge.Remove();
        foreach (var counter in (Counter.Child[])[_requestBytes, _responseBytes, _parts, _cancelled, _retries, _workerStarts, .. _expired, .. _rejected, .. _workerDeaths, .. _autoscaleSteps]) counter.Remove();
    }

    private void CountFailure(TimeSpan duration)
    {
        Interlocked.Increment(ref _failures);
        Interlocked.Add(ref _failureTicks, duration.Ticks);
    }

    private long CountOf(int first, int last)
    {
        var sum = 0.0;
        for (var status = first; status <= last; status++) sum += _requests[status - 100]?.Value ?? 0;
        return (long)sum;
    }

    private double Sum(RequestStage stage) => _stages[(int)stage].Sum;

    // Statuses other than 200 appear when they happen: at most 500 of them, usually five.
    private Counter.Child CountStatus(int slot)
    {
        lock (_gate)
        {
            if (_disposed) return _requests[100]!;
            return _requests[slot] ??= ServeMetrics.Requests.WithLabels(_model, _version, (slot + 100).ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }
}
