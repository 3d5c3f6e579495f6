using System.Globalization;
using System.Text;
using Serve.Core.Scheduling;

namespace Serve.Tests.Simulation;

/// <summary>
/// More requests than can be served, each of use for 100 ms: refusing at arrival what would be late against a long queue, in
/// virtual time. docs/scheduling.md shows the table.
/// </summary>
public sealed class OverloadComparisonTests(ITestOutputHelper output)
{
    private const double Target = 100;
    private const int RequestsEach = 30_000;

    private static readonly Dictionary<string, Hardware> Machines = new()
    {
        ["one worker"] = new Hardware(),
        ["one worker, decoding 0.27 ms a row on one thread"] = new Hardware { DecodeThreads = 1, DecodeMilliseconds = 0.27 },
        ["two workers"] = new Hardware { Workers = 2 },
        ["two workers, log-normal noise (sigma 0.2), decoding"] = new Hardware { Workers = 2, Noise = 0.2, DecodeThreads = 1, DecodeMilliseconds = 0.27 },
    };

    public static TheoryData<string> MachineNames => [.. Machines.Keys];

    [Theory]
    [MemberData(nameof(MachineNames))]
    public void Deadlines_keep_the_capacity_in_time_whatever_arrives(string machine)
    {
        var hardware = Machines[machine];
        var table = new StringBuilder().AppendLine(machine);
        foreach (var percent in (int[])[50, 90, 120, 200])
        {
            var ours = OverloadRun.Of(hardware, percent, Target, RequestsEach, Deadlines);
            var queue = OverloadRun.Of(hardware, percent, Target, RequestsEach, LongQueue);
            table.AppendLine(CultureInfo.InvariantCulture, $"  {percent,3} %  deadlines   {ours}");
            table.AppendLine(CultureInfo.InvariantCulture, $"         queue 1000  {queue}");
            output.WriteLine(table.ToString());
            table.Clear();
            if (percent >= 120) Assert.True(ours.Goodput >= 0.95, $"{percent} %: {ours}");
            else Assert.True(ours.Goodput >= 0.99 * percent / 100, $"{percent} %: {ours}");
        }
    }

    [Theory]
    [InlineData(50)]
    [InlineData(1_000)]
    public void A_target_from_three_batch_times_on_costs_no_throughput(double target)
    {
        var run = OverloadRun.Of(Machines["one worker"], 150, target, RequestsEach, Deadlines with { LatencyTarget = TimeSpan.FromMilliseconds(target) });
        output.WriteLine(run.ToString());
        Assert.True(run.Goodput >= 0.98, run.ToString());
    }

    private static DispatcherOptions Deadlines => new()
    {
        BatchSize = Hardware.BatchSize,
        MaxQueueSize = null,
        LatencyTarget = TimeSpan.FromMilliseconds(Target),
    };

    private static DispatcherOptions LongQueue => new() { BatchSize = Hardware.BatchSize, MaxQueueSize = 1000 };
}
