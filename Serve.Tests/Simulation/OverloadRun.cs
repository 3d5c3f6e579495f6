using System.Globalization;
using Serve.Core.Scheduling;

namespace Serve.Tests.Simulation;

/// <summary>What became of an open load whose answers are of use for a limited time.</summary>
/// <param name="Goodput">Answers in time as a share of the capacity.</param>
/// <param name="RefusedPercent">Of all, refused at arrival.</param>
/// <param name="LatePercent">Of all, answered too late, or given up.</param>
/// <param name="Median">Of those in time, milliseconds.</param>
/// <param name="P99">The same.</param>
/// <param name="BatchRows">The mean batch.</param>
internal sealed record OverloadRun(double Goodput, double RefusedPercent, double LatePercent, double Median, double P99, double BatchRows)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Goodput:0.000} of capacity in time; refused {RefusedPercent,4:0.0} %, late {LatePercent,4:0.0} %; {Median,5:0.0} / {P99,5:0.0} ms; batch {BatchRows:0.0}");

    /// <param name="hardware">The machine.</param>
    /// <param name="percent">Load, of the capacity.</param>
    /// <param name="target">Milliseconds.</param>
    /// <param name="count">Requests that are counted, after a fifth as many.</param>
    /// <param name="options">With a latency target, each request has it as its deadline.</param>
    public static OverloadRun Of(Hardware hardware, int percent, double target, int count, DispatcherOptions options)
    {
        var loop = new EventLoop();
        var server = new ServeServer(loop, hardware, options);
        var hasDeadline = options.MaxQueueSize is null;
        var warmUp = count / 5;
        var submitted = 0;
        int refused = 0, late = 0;
        List<double> inTime = [];
        long start = 0, end = 0;
        int batches = 0, rows = 0;
        new Poisson(percent).Begin(loop, hardware, _ =>
        {
            if (submitted >= warmUp + count) return;
            var isCounted = ++submitted > warmUp;
            if (submitted == warmUp)
            {
                start = loop.Now;
                batches = server.Devices.Sum(d => d.Batches);
                rows = server.Devices.Sum(d => d.Rows);
            }

            end = loop.Now;
            var arrival = loop.Now;
            SimulatedRequest? request = null;
            request = new SimulatedRequest
            {
                Id = (ulong)submitted,
                ArrivalTimestamp = arrival,
                DeadlineTimestamp = hasDeadline ? arrival + EventLoop.Ticks(target) : long.MaxValue,
                Done = () =>
                {
                    var took = EventLoop.Milliseconds(loop.Now - arrival);
                    if (!isCounted) return;
                    if (took > target || !request!.HasRun) late++;
                    else inTime.Add(took);
                },
            };
            var before = server.Refused;
            server.Submit(request);
            if (isCounted && server.Refused > before) refused++;
        });
        loop.RunUntil(() => submitted == warmUp + count && loop.Now > end + 2 * TimeSpan.TicksPerSecond);

        inTime.Sort();
        return new OverloadRun(
            inTime.Count / (EventLoop.Milliseconds(end - start) / 1000) / hardware.Capacity,
            100.0 * refused / count,
            100.0 * late / count,
            inTime.Count == 0 ? 0 : inTime[inTime.Count / 2],
            inTime.Count == 0 ? 0 : inTime[inTime.Count * 99 / 100],
            (server.Devices.Sum(d => d.Rows) - rows) / (double)Math.Max(1, server.Devices.Sum(d => d.Batches) - batches));
    }
}
