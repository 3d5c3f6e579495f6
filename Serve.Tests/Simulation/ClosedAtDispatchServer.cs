namespace Serve.Tests.Simulation;

/// <summary>
/// The usual dynamic batcher: the frontend closes a batch when it hands it out. A worker has at most <c>1 + ahead</c>
/// batches and executes them in order, each when all of its rows are decoded. With a delay it is TorchServe's rule: a worker
/// that has room takes the first request and then collects others, until the batch is full or the delay has passed; one
/// worker collects at a time.
/// </summary>
internal sealed class ClosedAtDispatchServer : IServer
{
    private readonly EventLoop _loop;
    private readonly Hardware _hardware;
    private readonly int _ahead;
    private readonly double _delay;
    private readonly Queue<SimulatedRequest> _queue = new();
    private readonly List<Worker> _workers = [];
    private long _collectUntil = long.MaxValue;

    public ClosedAtDispatchServer(EventLoop loop, Hardware hardware, int ahead, double delayMilliseconds = 0)
    {
        _loop = loop;
        _hardware = hardware;
        _ahead = ahead;
        _delay = delayMilliseconds;
        for (var i = 0; i < hardware.Workers; i++) _workers.Add(new Worker(this, i));
    }

    public IEnumerable<SimulatedDevice> Devices => _workers.Select(w => w.Device);

    public void Submit(SimulatedRequest request)
    {
        _queue.Enqueue(request);
        Dispatch();
    }

    private void Dispatch()
    {
        while (_queue.Count > 0 && _workers.MinBy(w => w.Outstanding) is { } worker && worker.Outstanding <= _ahead)
        {
            if (IsCollecting()) return;

            List<SimulatedRequest> batch = [];
            while (batch.Count < Hardware.BatchSize && _queue.TryDequeue(out var request)) batch.Add(request);
            worker.Outstanding++;
            _loop.After(_hardware.LinkMilliseconds, () => worker.Arrive(batch));
        }
    }

    private bool IsCollecting()
    {
        if (_delay > 0 && _queue.Count < Hardware.BatchSize)
        {
            if (_collectUntil == long.MaxValue)
            {
                _collectUntil = _loop.Now + EventLoop.Ticks(_delay);
                _loop.At(_collectUntil, Dispatch);
            }

            if (_loop.Now < _collectUntil) return true;
        }

        _collectUntil = long.MaxValue;
        return false;
    }

    private sealed class Worker(ClosedAtDispatchServer server, int number)
    {
        private readonly DecodeThreads _decode = new(server._loop, server._hardware);
        private readonly Queue<(List<SimulatedRequest> Requests, int[] Undecoded)> _batches = new();

        public SimulatedDevice Device { get; } = new(server._loop, server._hardware, number);

        /// <summary>Batches that the frontend has handed out and has no answer to.</summary>
        public int Outstanding { get; set; }

        public void Arrive(List<SimulatedRequest> batch)
        {
            int[] undecoded = [batch.Count];
            _batches.Enqueue((batch, undecoded));
            for (var i = 0; i < batch.Count; i++)
            {
                _decode.Decode(() =>
                {
                    undecoded[0]--;
                    Start();
                });
            }
        }

        private void Start()
        {
            if (Device.IsBusy || !_batches.TryPeek(out var batch) || batch.Undecoded[0] > 0) return;

            _batches.Dequeue();
            Device.Execute(batch.Requests.Count, () =>
            {
                server._loop.After(server._hardware.LinkMilliseconds, () =>
                {
                    Outstanding--;
                    server.Dispatch();
                    foreach (var request in batch.Requests) ServeServer.Answer(request);
                });
                Start();
            });
        }
    }
}
