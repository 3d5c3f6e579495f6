using System.Net;
using Serve.Benchmarks.Load;
using Serve.Benchmarks.NoOp;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// When a batch closes: the server on a device of known speed, beside the two usual rules on the same device. Throughput from
/// clients that always ask again, latency at half of the capacity.
/// </summary>
internal sealed class BatchingScenario : IScenario
{
    private const int Clients = 64;
    private const int Connections = 512;
    private const string ContentType = "application/octet-stream";

    private static readonly byte[] Body = [1];
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LeadIn = TimeSpan.FromSeconds(0.5);

    public string Name => "batching";

    public string Title => "A device of 10 ms + 0.2 ms a row, batches of 32 at most, against the usual rules";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithSynthetic(("adaptive", "maxQueueSize: 1000"), ("delayed", "maxQueueSize: 1000\nbatching: delayed\nmaxBatchDelay: 10ms"));
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        using var fixedDelay = new TextbookBatcher(TextbookBatcher.FixedDelay);
        using var oneAhead = new TextbookBatcher(TextbookBatcher.OneAhead);
        Rule[] rules =
        [
            Serve("Serve", serve, "adaptive"),
            Serve("Serve, batching: delayed, 10 ms", serve, "delayed"),
            Rule.At("fixed delay, 10 ms", fixedDelay.Address, "/"),
            Rule.At("closed at dispatch, one ahead", oneAhead.Address, "/"),
        ];
        foreach (var rule in rules)
        {
            rule.Closed.Run(WarmUp);
            rule.AtHalf.Run(LeadIn, LeadIn);
        }

        var meanBatches = new List<double>();
        var rounds = new List<(double[] PerSecond, double[] Medians, double[] P99s)>();
        foreach (var _ in settings.EachRound())
        {
            var (batches, rows) = BatchCount(serve);
            var closed = rules.Select(rule => rule.Closed.Run(settings.Duration).PerSecond).ToArray();
            var (batchesAfter, rowsAfter) = BatchCount(serve);
            meanBatches.Add((rowsAfter - rows) / Math.Max(1, batchesAfter - batches));
            var open = rules.Select(rule => rule.AtHalf.Run(LeadIn, settings.Duration)).ToArray();
            rounds.Add((closed, [.. open.Select(result => result.Median.TotalMilliseconds)], [.. open.Select(result => result.P99.TotalMilliseconds)]));
        }

        for (var i = 0; i < rules.Length; i++)
        {
            var at = i;
            report.Add(Name, $"c={Clients} share of the device's capacity, {rules[i].Name}", "", i == 0 ? Bar.AtLeast(0.94) : Bar.None, [.. rounds.Select(round => round.PerSecond[at] / SyntheticDevice.Capacity)]);
        }

        report.Add(Name, $"c={Clients} mean batch, Serve", "rows", Bar.None, meanBatches);
        report.Add(Name, "half load, median against a fixed delay of 10 ms", "", Bar.Below(0.75), [.. rounds.Select(round => round.Medians[0] / round.Medians[2])]);
        for (var i = 0; i < rules.Length; i++)
        {
            var at = i;
            report.Add(Name, $"half load, median, {rules[i].Name}", "ms", Bar.None, [.. rounds.Select(round => round.Medians[at])]);
            report.Add(Name, $"half load, 99th percentile, {rules[i].Name}", "ms", Bar.None, [.. rounds.Select(round => round.P99s[at])]);
        }

        foreach (var rule in rules) rule.Dispose();
    }

    private static Rule Serve(string name, ServeProcess serve, string model)
    {
        var path = $"/predictions/{model}";
        serve.WaitForAnswer(path, ContentType, Body);
        return Rule.At(name, serve.Inference, path);
    }

    private static (double Batches, double Rows) BatchCount(ServeProcess serve)
    {
        const string Labels = "{model=\"adaptive\",version=\"1.0\"}";
        return (serve.Metric($"serve_batch_size_count{Labels}") ?? 0, serve.Metric($"serve_batch_size_sum{Labels}") ?? 0);
    }

    private sealed record Rule(string Name, LoadClients Closed, LoadClients AtHalf) : IDisposable
    {
        public static Rule At(string name, IPEndPoint server, string path) => new(
            name,
            LoadClients.InClosedLoop(server, Clients, path, ContentType, [Body]),
            LoadClients.InOpenLoop(server, SyntheticDevice.Capacity / 2, Connections, path, ContentType, Body));

        public void Dispose()
        {
            Closed.Dispose();
            AtHalf.Dispose();
        }
    }
}
