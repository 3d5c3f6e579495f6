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

    // Those of the thread pool are the foundation's; those of inline, Serve's default, are what it was raised to.
    private static readonly (int Connections, Bar OnPool, Bar Inline)[] Loads =
    [
        (64, Bar.AtLeast(0.70), Bar.AtLeast(0.75)),
        (16, Bar.AtLeast(0.50), Bar.AtLeast(0.60)),
        (1, Bar.AtLeast(0.35), Bar.AtLeast(0.40)),
    ];

    private static readonly byte[] Body = [1];

    public string Name => "noop";

    public string Title => "No-op model, 1-byte body, against bare Kestrel";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithNoOp();
        using var pool = new Pair(repository.Server, store.Path, "pool");
        using var inline = new Pair(repository.Server, store.Path, "inline");

        foreach (var (connections, barOnPool, barInline) in Loads)
        {
            using var onPool = new Clients(pool, connections);
            using var onInline = new Clients(inline, connections);
            onPool.WarmUp();
            onInline.WarmUp();

            var rounds = new List<(Round Pool, Round Inline)>();
            foreach (var _ in settings.EachRound()) rounds.Add((onPool.Run(settings.Duration), onInline.Run(settings.Duration)));
            Add(report, connections, barOnPool, barInline, rounds);
        }
    }

    private void Add(Report report, int connections, Bar onPool, Bar inline, List<(Round Pool, Round Inline)> rounds)
    {
        var at = string.Create(CultureInfo.InvariantCulture, $"c={connections}");
        report.Add(Name, $"{at} ratio to bare Kestrel, both on the pool", "", onPool, [.. rounds.Select(round => round.Pool.Serve.PerSecond / round.Pool.Bare.PerSecond)]);
        report.Add(Name, $"{at} ratio to bare Kestrel, both inline", "", inline, [.. rounds.Select(round => round.Inline.Serve.PerSecond / round.Inline.Bare.PerSecond)]);
        report.Add(Name, $"{at} ratio to bare Kestrel, each as it ships", "", Bar.None, [.. rounds.Select(round => round.Inline.Serve.PerSecond / round.Pool.Bare.PerSecond)]);
        AddScheduling("pool", [.. rounds.Select(round => round.Pool)]);
        AddScheduling("inline", [.. rounds.Select(round => round.Inline)]);
        report.Add(Name, $"{at} errors", "answers", Bar.Below(1), [.. rounds.Select(round => (double)(round.Pool.Errors + round.Inline.Errors))]);

        void AddScheduling(string scheduling, IReadOnlyList<Round> those)
        {
            void Figure(string name, string unit, Func<Round, double> value) => report.Add(Name, $"{at} {scheduling}: {name}", unit, Bar.None, [.. those.Select(value)]);

            Figure("Serve", "req/s", round => round.Serve.PerSecond);
            Figure("bare Kestrel", "req/s", round => round.Bare.PerSecond);
            Figure("median latency, Serve", "µs", round => round.Serve.Median.TotalMicroseconds);
            Figure("median latency added", "µs", round => (round.Serve.Median - round.Bare.Median).TotalMicroseconds);
            Figure("99th percentile, Serve", "µs", round => round.Serve.P99.TotalMicroseconds);
            Figure("CPU of frontend", "µs/req", round => round.Frontend.TotalMicroseconds / round.Serve.Answers);
            Figure("CPU of worker", "µs/req", round => round.Worker.TotalMicroseconds / round.Serve.Answers);
            Figure("CPU of client", "µs/req", round => round.Client.TotalMicroseconds / round.Serve.Answers);
            Figure("CPU of bare Kestrel", "µs/req", round => round.BareServer.TotalMicroseconds / round.Bare.Answers);
        }
    }

    private sealed record Round(LoadResult Serve, LoadResult Bare, TimeSpan Frontend, TimeSpan Worker, TimeSpan Client, TimeSpan BareServer)
    {
        public long Errors => Serve.Errors + Bare.Errors;
    }

    /// <summary>Serve and the bare server with the same scheduling.</summary>
    private sealed class Pair : IDisposable
    {
        public Pair(string server, string modelStore, string fastPath)
        {
            Serve = ServeProcess.StartAndListen(server, modelStore, fastPath);
            Bare = new BareKestrel(fastPath);
            Serve.WaitForAnswer(Path, ContentType, Body);
            Worker = Serve.WorkerPids("noop").Single();
        }

        public ServeProcess Serve { get; }

        public BareKestrel Bare { get; }

        public int Worker { get; }

        public void Dispose()
        {
            Serve.Dispose();
            Bare.Dispose();
        }
    }

    /// <summary>Connections to both of a pair, used in turns.</summary>
    private sealed class Clients(Pair pair, int connections) : IDisposable
    {
        private readonly LoadClients _onServe = LoadClients.InClosedLoop(pair.Serve.Inference, connections, Path, ContentType, [Body]);
        private readonly LoadClients _onBare = LoadClients.InClosedLoop(pair.Bare.Address, connections, Path, ContentType, [Body]);

        public void WarmUp()
        {
            _onServe.WarmUp();
            _onBare.WarmUp();
        }

        public Round Run(TimeSpan duration)
        {
            var meter = CpuMeter.Start(pair.Serve.Pid, pair.Worker, Environment.ProcessId);
            var ours = _onServe.Run(duration);
            var used = meter.Stop();
            meter = CpuMeter.Start(pair.Bare.Pid);
            var theirs = _onBare.Run(duration);
            return new Round(ours, theirs, used[0], used[1], used[2], meter.Stop()[0]);
        }

        public void Dispose()
        {
            _onServe.Dispose();
            _onBare.Dispose();
        }
    }
}
