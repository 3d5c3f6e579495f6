using System.Globalization;
using Serve.Benchmarks.Load;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// What the server costs when the model costs nothing: requests per second of a no-op model against a bare Kestrel endpoint
/// that reads the same body and answers the same bytes.
/// </summary>
internal sealed class NoOpScenario : IScenario
{
    private const string Path = "/predictions/noop";
    private const string ContentType = "application/octet-stream";

    private static readonly (int Connections, Bar Bar)[] Loads = [(64, Bar.AtLeast(0.70)), (16, Bar.AtLeast(0.50)), (1, Bar.AtLeast(0.35))];
    private static readonly byte[] Body = [1];

    // Enough requests for tiered compilation to have its last word.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    public string Name => "noop";

    public string Title => "No-op model, 1-byte body, against bare Kestrel";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithNoOp();
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        using var bare = new BareKestrel(settings.FastPath);
        serve.WaitForAnswer(Path, ContentType, Body);
        var worker = serve.WorkerPids("noop").Single();

        var isWarm = false;
        foreach (var (connections, bar) in Loads)
        {
            using var onServe = LoadClients.InClosedLoop(serve.Inference, connections, Path, ContentType, [Body]);
            using var onBare = LoadClients.InClosedLoop(bare.Address, connections, Path, ContentType, [Body]);
            var warmUp = isWarm ? WarmUp / 3 : WarmUp;
            onServe.Run(warmUp);
            onBare.Run(warmUp);
            isWarm = true;

            var rounds = new List<Round>();
            foreach (var _ in settings.EachRound())
            {
                var meter = CpuMeter.Start(serve.Pid, worker, Environment.ProcessId);
                var ours = onServe.Run(settings.Duration);
                var used = meter.Stop();
                meter = CpuMeter.Start(bare.Pid);
                var theirs = onBare.Run(settings.Duration);
                rounds.Add(new Round(ours, theirs, used[0], used[1], used[2], meter.Stop()[0]));
            }

            Add(report, connections, bar, rounds);
        }
    }

    private void Add(Report report, int connections, Bar bar, List<Round> rounds)
    {
        var at = string.Create(CultureInfo.InvariantCulture, $"c={connections}");
        void Figure(string name, string unit, Func<Round, double> value) => report.Add(Name, $"{at} {name}", unit, Bar.None, [.. rounds.Select(value)]);

        report.Add(Name, $"{at} ratio to bare Kestrel", "", bar, [.. rounds.Select(round => round.Serve.PerSecond / round.Bare.PerSecond)]);
        Figure("Serve", "req/s", round => round.Serve.PerSecond);
        Figure("bare Kestrel", "req/s", round => round.Bare.PerSecond);
        Figure("median latency, Serve", "µs", round => round.Serve.Median.TotalMicroseconds);
        Figure("median latency added", "µs", round => (round.Serve.Median - round.Bare.Median).TotalMicroseconds);
        Figure("99th percentile, Serve", "µs", round => round.Serve.P99.TotalMicroseconds);
        Figure("CPU of frontend", "µs/req", round => round.Frontend.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of worker", "µs/req", round => round.Worker.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of client", "µs/req", round => round.Client.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of bare Kestrel", "µs/req", round => round.BareServer.TotalMicroseconds / round.Bare.Answers);
        report.Add(Name, $"{at} errors", "answers", Bar.Below(1), [.. rounds.Select(round => (double)(round.Serve.Errors + round.Bare.Errors))]);
    }

    private sealed record Round(LoadResult Serve, LoadResult Bare, TimeSpan Frontend, TimeSpan Worker, TimeSpan Client, TimeSpan BareServer);
}
