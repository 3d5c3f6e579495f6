using Serve.Core.Handlers.Metrics;
using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>Sends a Gauge at each interval, whatever the other threads do: the frontend replaces a worker that falls silent.</summary>
internal sealed class HeartbeatThread(FrameSender sender, TimeSpan interval) : IDisposable
{
    private readonly ManualResetEvent _stop = new(false);
    private volatile HandlerMetrics? _metrics;
    private volatile WorkerPipeline? _pipeline;

    /// <summary>From here on there is something to measure.</summary>
    public void Observe(WorkerPipeline pipeline, HandlerMetrics metrics)
    {
        _metrics = metrics;
        _pipeline = pipeline;
    }

    public void Start() => new Thread(Run) { IsBackground = true, Name = "heartbeat" }.Start();

    public void Dispose() => _stop.Set();

    private void Run()
    {
        do
        {
            var memory = new GaugeMessage(Environment.WorkingSet, AllocatedBytes: GC.GetTotalAllocatedBytes(), Metrics: _metrics?.TakeChanges());
            var gauge = _pipeline?.Measure(memory) ?? memory;
            ProtocolJson.Enqueue(sender, FrameType.Gauge, gauge, ProtocolJson.Default.GaugeMessage);
            sender.Flush(onThisThread: true);
        }
        while (!_stop.WaitOne(interval));
    }
}
