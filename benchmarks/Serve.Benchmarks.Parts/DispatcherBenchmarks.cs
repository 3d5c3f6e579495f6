using BenchmarkDotNet.Attributes;
using Serve.Core.Scheduling;

namespace Serve.Benchmarks.Parts;

/// <summary>The frontend's half of the dynamic batcher: what it decides about a request, without the worker that carries it out.</summary>
public class DispatcherBenchmarks
{
    private const int Batch = 32;

    private readonly ulong[] _ids = new ulong[Batch];
    private readonly Request[] _requests = new Request[Batch];
    private readonly Sink _sink = new();
    private Dispatcher _dispatcher = null!;
    private WorkerSlot _worker = null!;
    private ulong _nextId;

    /// <summary>Requests that wait behind a worker without credit, all the time.</summary>
    [Params(0, 1000)]
    public int Waiting { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _dispatcher = new Dispatcher(new DispatcherOptions { BatchSize = Batch, MaxQueueSize = Waiting + (4 * Batch), RefusesLate = false }, TimeProvider.System, _sink);
        _worker = _dispatcher.AddWorker("worker", 2 * Batch);
        for (var i = 0; i < Batch; i++) _requests[i] = new Request();

        // What fills the worker's credit, and what waits behind that.
        for (var i = 0; Waiting > 0 && i < Waiting + (2 * Batch); i++) Admit(new Request());
    }

    /// <summary>A batch of requests is admitted, one after the other; the oldest that were sent begin, and each is answered, which sends the next. Time and bytes of one request.</summary>
    [Benchmark(OperationsPerInvoke = Batch)]
    public void AdmitBeginComplete()
    {
        foreach (var request in _requests) Admit(request);
        for (var i = 0; i < Batch; i++)
        {
            _requests[i] = _sink.Sent.Dequeue();
            _ids[i] = _requests[i].Id;
        }

        _dispatcher.Begun(_worker, _ids);
        foreach (var request in _requests) _dispatcher.Complete(_worker, request);
    }

    private void Admit(Request request)
    {
        (request.Id, request.ArrivalTimestamp) = (++_nextId, TimeProvider.System.GetTimestamp());
        if (!_dispatcher.Admit(request).IsAdmitted) throw new InvalidOperationException("The queue is full.");
    }

    private sealed class Request : ScheduledRequest;

    private sealed class Sink : IDispatchSink
    {
        public Queue<Request> Sent { get; } = new(4 * Batch);

        public void Send(WorkerSlot worker, ScheduledRequest request, bool more) => Sent.Enqueue((Request)request);

        public void Recall(WorkerSlot worker, int rows)
        {
            // There is one worker: nothing is recalled.
        }
    }
}
