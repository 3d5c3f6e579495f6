using System.Globalization;
using Serve.Benchmarks.Load;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// What it costs to be watched: a no-op model on a server whose metrics are scraped every second, that writes an access log
/// into files and traces a tenth of the requests, against the same server without any of it. The instruments behind the
/// metrics cannot be switched off: both have them, and what is compared is reading them.
/// </summary>
internal sealed class ObservabilityScenario : IScenario
{
    private const string Path = "/predictions/noop";
    private const string ContentType = "application/octet-stream";

    // Throughput is what the promise is about; one connection shows the latency.
    private static readonly (int Connections, Bar Bar)[] Loads = [(64, Bar.AtLeast(0.95)), (16, Bar.AtLeast(0.95)), (1, Bar.None)];

    private static readonly byte[] Body = [1];
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);

    public string Name => "observability";

    public string Title => "No-op model: metrics scraped, access log and traces, against none of it";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithNoOp();
        using var sink = new TraceSink();
        var logs = Directory.CreateTempSubdirectory("serve-bench-logs-");
        try
        {
            using var off = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
            using var on = ServeProcess.StartAndListen(
                repository.Server, store.Path, settings.FastPath,
                "--log-level", "information", "--access-log", "true", "--logging-folder", logs.FullName, "--tracing-endpoint", sink.Url, "--tracing-sampling-ratio", "0.1");
            off.WaitForAnswer(Path, ContentType, Body);
            on.WaitForAnswer(Path, ContentType, Body);
            foreach (var (connections, bar) in Loads) Compare(settings, report, off, on, connections, bar);
            AddLosses(report, on, sink);
        }
        finally
        {
            logs.Delete(recursive: true);
        }
    }

    private void Compare(BenchmarkSettings settings, Report report, ServeProcess off, ServeProcess on, int connections, Bar bar)
    {
        using var without = LoadClients.InClosedLoop(off.Inference, connections, Path, ContentType, [Body]);
        using var with = LoadClients.InClosedLoop(on.Inference, connections, Path, ContentType, [Body]);
        without.Run(WarmUp);
        with.Run(WarmUp);

        var rounds = new List<(Turn Off, Turn On)>();
        foreach (var _ in settings.EachRound())
        {
            // Each goes first as often as the other.
            if (rounds.Count % 2 == 0)
            {
                var first = Turn.Take(off, without, settings.Duration, scrapes: false);
                rounds.Add((first, Turn.Take(on, with, settings.Duration, scrapes: true)));
            }
            else
            {
                var first = Turn.Take(on, with, settings.Duration, scrapes: true);
                rounds.Add((Turn.Take(off, without, settings.Duration, scrapes: false), first));
            }
        }

        void Figure(string name, string unit, Bar limit, Func<(Turn Off, Turn On), double> value) =>
            report.Add(Name, string.Create(CultureInfo.InvariantCulture, $"c={connections} {name}"), unit, limit, [.. rounds.Select(value)]);

        Figure("throughput, with all on, to all off", "", bar, round => round.On.Load.PerSecond / round.Off.Load.PerSecond);
        Figure("all off", "req/s", Bar.None, round => round.Off.Load.PerSecond);
        Figure("all on", "req/s", Bar.None, round => round.On.Load.PerSecond);
        Figure("median latency added", "µs", Bar.None, round => (round.On.Load.Median - round.Off.Load.Median).TotalMicroseconds);
        Figure("CPU of frontend, all off", "µs/req", Bar.None, round => round.Off.Frontend);
        Figure("CPU of frontend, all on", "µs/req", Bar.None, round => round.On.Frontend);
        Figure("errors", "answers", Bar.Below(1), round => (double)(round.Off.Load.Errors + round.On.Load.Errors));
    }

    // A log and traces that are lost cost nothing.
    private void AddLosses(Report report, ServeProcess on, TraceSink sink)
    {
        var requests = on.SumOfMetrics("serve_requests_total");
        report.Add(Name, "traced requests of all", "%", Bar.None, [100 * (on.Metric("serve_traces_total") ?? 0) / requests]);
        report.Add(Name, "traces dropped", "", Bar.Below(1), [on.Metric("serve_traces_dropped_total") ?? 0]);
        report.Add(Name, "log lines dropped", "", Bar.Below(1), [on.Metric("serve_log_lines_dropped_total{log=\"access\"}") ?? 0]);
        report.Add(Name, "bytes of spans for a request", "B", Bar.None, [sink.Bytes / requests]);
    }

    /// <summary>One server's turn.</summary>
    /// <param name="Load">What its clients measured.</param>
    /// <param name="Frontend">CPU of its frontend, microseconds a request.</param>
    private sealed record Turn(LoadResult Load, double Frontend)
    {
        public static Turn Take(ServeProcess server, LoadClients clients, TimeSpan duration, bool scrapes)
        {
            using var prometheus = scrapes ? new Scraper(server) : null;
            var meter = CpuMeter.Start(server.Pid);
            var load = clients.Run(duration);
            return new Turn(load, meter.Stop()[0].TotalMicroseconds / load.Answers);
        }
    }

    /// <summary>Scrapes a server once a second, beginning at once.</summary>
    private sealed class Scraper : IDisposable
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

        private readonly ManualResetEventSlim _stop = new();
        private readonly Thread _thread;

        public Scraper(ServeProcess server)
        {
            _thread = new Thread(() =>
            {
                do server.Scrape();
                while (!_stop.Wait(Interval));
            });
            _thread.Start();
        }

        public void Dispose()
        {
            _stop.Set();
            _thread.Join();
            _stop.Dispose();
        }
    }
}
