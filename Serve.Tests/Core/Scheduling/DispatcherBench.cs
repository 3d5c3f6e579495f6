using Microsoft.Extensions.Time.Testing;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

/// <summary>A dispatcher on a clock that the test moves, with a record of all that it decided.</summary>
internal sealed class DispatcherBench : IDispatchSink
{
    private ulong _lastId;

    public DispatcherBench(DispatcherOptions options) => Dispatcher = new Dispatcher(options, Time, this);

    public FakeTimeProvider Time { get; } = new();

    public Dispatcher Dispatcher { get; }

    public List<(WorkerSlot Worker, ulong Id, bool More)> Sent { get; } = [];

    public List<(WorkerSlot Worker, int Rows)> Recalls { get; } = [];

    public List<ulong> Released { get; } = [];

    public IEnumerable<ulong> SentIds => Sent.Select(s => s.Id);

    public TestRequest New(int lane = 0, int rows = 1, TimeSpan? deadline = null) => new()
    {
        Id = ++_lastId,
        Lane = lane,
        Rows = rows,
        ArrivalTimestamp = Time.GetTimestamp(),
        DeadlineTimestamp = deadline is { } after ? Time.GetTimestamp() + after.Ticks : long.MaxValue,
    };

    public TestRequest Admit(int lane = 0, int rows = 1, TimeSpan? deadline = null)
    {
        var request = New(lane, rows, deadline);
        Assert.True(Dispatcher.Admit(request).IsAdmitted);
        return request;
    }

    public TestRequest[] AdmitMany(int count)
    {
        var requests = new TestRequest[count];
        for (var i = 0; i < count; i++) requests[i] = Admit();
        return requests;
    }

    public void Begin(WorkerSlot worker, params IEnumerable<ScheduledRequest> requests) =>
        Dispatcher.Begun(worker, requests.Select(r => r.Id).ToArray());

    public void Return(WorkerSlot worker, params IEnumerable<ScheduledRequest> requests) =>
        Dispatcher.Returned(worker, requests.Select(r => r.Id).ToArray());

    public List<ScheduledRequest> Lose(WorkerSlot worker, WorkerLossReason reason = WorkerLossReason.Crashed) => Lose(worker, reason, out _);

    public List<ScheduledRequest> Lose(WorkerSlot worker, WorkerLossReason reason, out bool explained)
    {
        List<ScheduledRequest> failed = [];
        explained = Dispatcher.RemoveWorker(worker, reason, failed);
        return failed;
    }

    public List<ScheduledRequest> CollectLate()
    {
        List<ScheduledRequest> late = [];
        Dispatcher.CollectLate(late);
        return late;
    }

    void IDispatchSink.Send(WorkerSlot worker, ScheduledRequest request, bool more)
    {
        Assert.Equal(RequestPlace.Sent, request.Place);
        Assert.Same(worker, request.Worker);
        Sent.Add((worker, request.Id, more));
    }

    void IDispatchSink.Recall(WorkerSlot worker, int rows) => Recalls.Add((worker, rows));

    void IDispatchSink.Released(ScheduledRequest request)
    {
        Assert.Equal(RequestPlace.Nowhere, request.Place);
        Released.Add(request.Id);
    }
}
