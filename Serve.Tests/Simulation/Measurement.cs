using System.Globalization;
using Serve.Core.Configuration;

namespace Serve.Tests.Simulation;

/// <summary>What one policy made of one load on one hardware.</summary>
internal sealed record Measurement(double BatchRows, double PerSecond, double Median, double P99, double IdlePercent)
{
    public static readonly IReadOnlyList<(string Name, Func<EventLoop, Hardware, IServer> Create)> Policies =
    [
        ("ours", static (loop, hardware) => new ServeServer(loop, hardware, new() { BatchSize = Hardware.BatchSize, MaxQueueSize = int.MaxValue })),
        ("closed at dispatch, one ahead", static (loop, hardware) => new ClosedAtDispatchServer(loop, hardware, ahead: 1)),
        ("closed at dispatch, none ahead", static (loop, hardware) => new ClosedAtDispatchServer(loop, hardware, ahead: 0)),
        ("TorchServe's rule, 10 ms", static (loop, hardware) => new ClosedAtDispatchServer(loop, hardware, ahead: 0, delayMilliseconds: 10)),
        ("TorchServe's rule, 50 ms", static (loop, hardware) => new ClosedAtDispatchServer(loop, hardware, ahead: 0, delayMilliseconds: 50)),
        ("batching: delayed, 10 ms", static (loop, hardware) => new ServeServer(loop, hardware, Delayed(10))),
        ("batching: delayed, 50 ms", static (loop, hardware) => new ServeServer(loop, hardware, Delayed(50))),
    ];

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{BatchRows,5:0.0} {PerSecond,6:0} {Median,6:0.0} {P99,7:0.0} {IdlePercent,5:0}");

    public static Measurement Of(Func<EventLoop, Hardware, IServer> create, Hardware hardware, Load load, int requests)
    {
        var loop = new EventLoop();
        var server = create(loop, hardware);
        var warmup = requests / 10;
        List<double> latencies = new(requests);
        var submitted = 0UL;
        var answered = 0;
        long start = 0;
        long busyBefore = 0;
        var batchesBefore = 0;
        var rowsBefore = 0;

        load.Begin(loop, hardware, answeredToo =>
        {
            var arrival = loop.Now;
            server.Submit(new SimulatedRequest
            {
                Id = ++submitted,
                ArrivalTimestamp = arrival,
                Done = () =>
                {
                    if (++answered > warmup) latencies.Add(EventLoop.Milliseconds(loop.Now - arrival));
                    answeredToo?.Invoke();
                },
            });
        });

        loop.RunUntil(() => answered >= warmup);
        start = loop.Now;
        busyBefore = server.Devices.Sum(d => d.BusyTicks);
        batchesBefore = server.Devices.Sum(d => d.Batches);
        rowsBefore = server.Devices.Sum(d => d.Rows);
        loop.RunUntil(() => latencies.Count >= requests);

        var elapsed = loop.Now - start;
        var busy = server.Devices.Sum(d => d.BusyTicks) - busyBefore;
        var batches = server.Devices.Sum(d => d.Batches) - batchesBefore;
        latencies.Sort();
        return new Measurement(
            (server.Devices.Sum(d => d.Rows) - rowsBefore) / (double)batches,
            latencies.Count / (EventLoop.Milliseconds(elapsed) / 1000),
            latencies[latencies.Count / 2],
            latencies[latencies.Count * 99 / 100],
            Math.Max(0, 100 * (1 - busy / (double)(elapsed * hardware.Workers))));
    }

    private static Serve.Core.Scheduling.DispatcherOptions Delayed(int milliseconds) => new()
    {
        Mode = BatchingMode.Delayed,
        BatchSize = Hardware.BatchSize,
        MaxBatchDelay = TimeSpan.FromMilliseconds(milliseconds),
        MaxQueueSize = int.MaxValue,
    };
}
