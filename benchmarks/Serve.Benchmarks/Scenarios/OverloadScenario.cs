using System.Globalization;
using Serve.Benchmarks.Load;
using Serve.Benchmarks.NoOp;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// More than can be served, of use for 100 ms each: how much of the capacity is answered in time, with a latency target and
/// with a queue of 1,000 without deadlines.
/// </summary>
internal sealed class OverloadScenario : IScenario
{
    private const int Connections = 1_500;
    private const string ContentType = "application/octet-stream";

    private static readonly int[] Loads = [50, 90, 120, 200];
    private static readonly byte[] Body = [1];
    private static readonly TimeSpan Target = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    // A queue of 1,000 needs most of a second to fill at twice the capacity.
    private static readonly TimeSpan LeadIn = TimeSpan.FromSeconds(1);

    public string Name => "overload";

    public string Title => "The same device, 100 ms target, open loop, beside a queue of 1,000 without deadlines";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithSynthetic(("deadline", "latencyTarget: 100ms"), ("queue", "maxQueueSize: 1000"));
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        (LoadClients Deadline, LoadClients Queue)[] clients = [.. Loads.Select(load => (Clients(serve, "deadline", load), Clients(serve, "queue", load)))];
        foreach (var (deadline, queue) in clients)
        {
            deadline.Run(WarmUp);
            queue.Run(WarmUp);
        }

        var rounds = new List<(LoadResult Deadline, LoadResult Queue)[]>();
        foreach (var _ in settings.EachRound())
        {
            rounds.Add([.. clients.Select(load => (load.Deadline.Run(LeadIn, settings.Duration), load.Queue.Run(LeadIn, settings.Duration)))]);
        }

        for (var i = 0; i < Loads.Length; i++) Add(report, Loads[i], [.. rounds.Select(round => round[i])]);
        foreach (var (deadline, queue) in clients)
        {
            deadline.Dispose();
            queue.Dispose();
        }
    }

    private void Add(Report report, int load, (LoadResult Deadline, LoadResult Queue)[] rounds)
    {
        var at = string.Create(CultureInfo.InvariantCulture, $"{load} %");
        var isOverload = load > 100;
        void Figure(string name, string unit, Bar bar, Func<LoadResult, double> value) => report.Add(Name, $"{at} {name}", unit, bar, [.. rounds.Select(round => value(round.Deadline))]);

        Figure("in time, of the capacity", "", isOverload ? Bar.AtLeast(0.95) : Bar.None, result => result.InTimePerSecond / SyntheticDevice.Capacity);
        report.Add(Name, $"{at} in time, of the capacity, queue of 1,000", "", Bar.None, [.. rounds.Select(round => round.Queue.InTimePerSecond / SyntheticDevice.Capacity)]);
        Figure("refused", "%", Bar.None, result => result.RefusedPercent);
        Figure("late or given up", "%", Bar.None, result => result.LatePercent);
        Figure("median", "ms", Bar.None, result => result.Median.TotalMilliseconds);
        Figure("99th percentile", "ms", Bar.None, result => result.P99.TotalMilliseconds);
        if (isOverload) Figure("99th percentile of refusals", "ms", Bar.Below(20), result => result.RefusalP99.TotalMilliseconds);
        report.Add(Name, $"{at} median, queue of 1,000", "ms", Bar.None, [.. rounds.Select(round => round.Queue.Median.TotalMilliseconds)]);
    }

    private static LoadClients Clients(ServeProcess serve, string model, int load)
    {
        var path = $"/predictions/{model}";
        serve.WaitForAnswer(path, ContentType, Body);
        return LoadClients.InOpenLoop(serve.Inference, SyntheticDevice.Capacity * load / 100, Connections, path, ContentType, Body, Target);
    }
}
