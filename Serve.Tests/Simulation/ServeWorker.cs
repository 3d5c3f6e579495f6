using Serve.Core.Scheduling;

namespace Serve.Tests.Simulation;

/// <summary>A worker of ours: decodes at once, closes a batch at the moment its device is free.</summary>
internal sealed class ServeWorker(EventLoop loop, Hardware hardware, ServeServer server, int number)
{
    private readonly BatchFormer<SimulatedRow> _former = new(new(), loop.TimestampFrequency, new BatchCostModel(Hardware.BatchSize));
    private readonly DecodeThreads _decode = new(loop, hardware);
    private readonly List<SimulatedRow> _dropped = [];
    private bool _isDead;
    private bool _isStartPlanned;

    public SimulatedDevice Device { get; } = new(loop, hardware, number);

    public WorkerSlot Slot { get; set; } = null!;

    public void Arrive(SimulatedRequest request, bool more)
    {
        if (_isDead) return;

        var row = new SimulatedRow(request) { Lane = request.Lane, DeadlineTimestamp = request.DeadlineTimestamp, Rows = request.Rows };
        _former.AddArrived(row, more, loop.Now);
        _decode.Decode(() =>
        {
            if (_isDead || !row.IsWaiting) return; // recalled meanwhile
            _former.MarkReady(row, 0, loop.Now);
            PlanStart();
        });
    }

    public void Recall(int rows)
    {
        if (_isDead) return;

        List<SimulatedRow> returned = [];
        _former.Recall(rows, returned);
        var ids = returned.Select(r => r.Request.Id).ToArray();
        server.ToFrontend(() => server.Dispatcher.Returned(Slot, ids));
    }

    public bool Die()
    {
        if (_isDead) return false;
        return _isDead = true;
    }

    public void CheckThatItDoesNotIdle() =>
        Assert.False(!_isDead && !Device.IsBusy && _former.ReadyRequests > 0, "The device idles while a row is ready.");

    /// <summary>After all that arrives at this instant: the real worker takes in a whole chunk of frames first, too.</summary>
    private void PlanStart()
    {
        if (Device.IsBusy || _isStartPlanned) return;
        _isStartPlanned = true;
        loop.At(loop.Now, () =>
        {
            _isStartPlanned = false;
            Start();
        });
    }

    private void Start()
    {
        if (_isDead || Device.IsBusy) return;

        List<SimulatedRow> batch = [];
        var rows = _former.Close(loop.Now, Hardware.BatchSize, batch, _dropped);
        Assert.InRange(rows, 0, Hardware.BatchSize);
        AnswerDropped();
        if (rows == 0) return;

        var ids = batch.Select(r => r.Request.Id).ToArray();
        server.ToFrontend(() => server.Dispatcher.Begun(Slot, ids));
        var start = loop.Now;
        Device.Execute(rows, () => End(batch, rows, loop.Now - start));
    }

    private void End(List<SimulatedRow> batch, int rows, long ticks)
    {
        if (_isDead) return;
        _former.Cost.Learn(rows, ticks);
        if (batch.Exists(r => r.Request.IsPoison))
        {
            server.Kill(this);
            return;
        }

        server.ToFrontend(() =>
        {
            foreach (var row in batch) server.Dispatcher.Complete(Slot, row.Request, new BatchTicks(0, ticks, 0));
            foreach (var row in batch)
            {
                row.Request.HasRun = true;
                if (!row.Request.IsAbandoned) ServeServer.Answer(row.Request);
            }
        });
        Start();
    }

    private void AnswerDropped()
    {
        foreach (var row in _dropped)
        {
            server.ToFrontend(() =>
            {
                server.Dispatcher.GiveUp(Slot, row.Request);
                if (!row.Request.IsAbandoned) ServeServer.Answer(row.Request);
            });
        }

        _dropped.Clear();
    }
}
