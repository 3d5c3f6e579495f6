using Serve.Core.Scheduling;

namespace Serve.Tests.Simulation;

/// <summary>The real <see cref="Dispatcher"/> and, in each worker, the real <see cref="BatchFormer{TRow}"/>, over a link that takes time.</summary>
internal sealed class ServeServer : IServer, IDispatchSink
{
    private readonly EventLoop _loop;
    private readonly Hardware _hardware;
    private readonly List<ServeWorker> _workers = [];
    private readonly List<ScheduledRequest> _late = [];
    private readonly List<ScheduledRequest> _failed = [];
    private long _plannedWakeup = long.MaxValue;

    public ServeServer(EventLoop loop, Hardware hardware, DispatcherOptions options)
    {
        _loop = loop;
        _hardware = hardware;
        Dispatcher = new Dispatcher(options, loop, this);
        for (var i = 0; i < hardware.Workers; i++) StartWorker();
        loop.InstantEnds = CheckThatNothingIdles;
    }

    public Dispatcher Dispatcher { get; }

    /// <summary>How long a worker that died takes to come back.</summary>
    public double RestartMilliseconds { get; init; } = 200;

    public int Deaths { get; private set; }

    /// <summary>Deaths that the dispatcher did not explain by suspects.</summary>
    public int UnexplainedDeaths { get; private set; }

    public int Refused { get; private set; }

    public IReadOnlyList<ServeWorker> Workers => _workers;

    public IEnumerable<SimulatedDevice> Devices => _workers.Select(w => w.Device);

    public void Submit(SimulatedRequest request)
    {
        if (!Dispatcher.Admit(request).IsAdmitted) Refused++;
        PlanWakeup();
    }

    public void Kill(ServeWorker worker)
    {
        if (!worker.Die()) return;

        Deaths++;
        ToFrontend(() => // behind all that the worker had written
        {
            _workers.Remove(worker);
            _failed.Clear();
            if (!Dispatcher.RemoveWorker(worker.Slot, WorkerLossReason.Crashed, _failed)) UnexplainedDeaths++;
            foreach (SimulatedRequest request in _failed)
            {
                request.HasFailed = true;
                Answer(request);
            }
        });
        _loop.After(RestartMilliseconds, () =>
        {
            StartWorker();
            PlanWakeup();
        });
    }

    public void ToFrontend(Action message) => _loop.After(_hardware.LinkMilliseconds, () =>
    {
        message();
        PlanWakeup();
    });

    public static void Answer(SimulatedRequest request)
    {
        request.Answers++;
        request.Done?.Invoke();
    }

    void IDispatchSink.Send(WorkerSlot slot, ScheduledRequest request, bool more)
    {
        Assert.True(slot.OutstandingRows <= slot.Credit || slot.OutstandingRequests == 1);
        _loop.After(_hardware.LinkMilliseconds, () => ((ServeWorker)slot.Owner).Arrive((SimulatedRequest)request, more));
    }

    void IDispatchSink.Recall(WorkerSlot slot, int rows) =>
        _loop.After(_hardware.LinkMilliseconds, () => ((ServeWorker)slot.Owner).Recall(rows));

    private void StartWorker()
    {
        var worker = new ServeWorker(_loop, _hardware, this, _workers.Count);
        _workers.Add(worker);
        worker.Slot = Dispatcher.AddWorker(worker, 2 * Hardware.BatchSize);
    }

    private void PlanWakeup()
    {
        var next = Dispatcher.NextWakeup;
        if (next == long.MaxValue || next >= _plannedWakeup) return;

        _plannedWakeup = next;
        _loop.At(next, () =>
        {
            _plannedWakeup = long.MaxValue;
            _late.Clear();
            Dispatcher.CollectLate(_late);
            foreach (SimulatedRequest request in _late) Answer(request);
            Dispatcher.Wake();
            PlanWakeup();
        });
    }

    private void CheckThatNothingIdles()
    {
        foreach (var worker in _workers) worker.CheckThatItDoesNotIdle();
    }
}
