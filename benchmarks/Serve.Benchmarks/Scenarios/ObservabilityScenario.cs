using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Serve.Benchmarks.Load;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;
using Serve.LoadGenerator.Http;
using DataType = Serve.Core.Onnx.Format.TensorProto.Types.DataType;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// What it costs to be watched: a server whose metrics are scraped every second, that writes an access log into files and
/// traces a tenth of the requests, against the same server without any of it. The instruments behind the metrics cannot be
/// switched off: both have them, and what is compared is reading them. The model is an ONNX identity of 16 numbers by the
/// Open Inference Protocol; beside it one that does nothing at all, which no model can be cheaper than.
/// </summary>
internal sealed class ObservabilityScenario : IScenario
{
    private const string Identity = "identity";
    private const int Numbers = 16;

    // A server is scraped all its life: what a scrape runs has long been compiled.
    private const int ScrapesBefore = 60;

    private static readonly Workload[] OfIdentity =
    [
        new("identity, binary", Binary, 64, Bar.AtLeast(0.95)), new("identity, binary", Binary, 16, Bar.AtLeast(0.95)),
        new("identity, JSON", Json, 64, Bar.AtLeast(0.95)), new("identity, JSON", Json, 16, Bar.AtLeast(0.95)),
    ];

    // Throughput is what the promise is about; one connection shows the latency.
    private static readonly Workload[] OfNoOp = [new("no-op", NoOp, 64, Bar.None), new("no-op", NoOp, 16, Bar.None), new("no-op", NoOp, 1, Bar.None)];

    private readonly Workload[] _workloads;

    private ObservabilityScenario(string name, string title, Workload[] workloads) => (Name, Title, _workloads) = (name, title, workloads);

    /// <summary>With the identity model, of which the promise speaks.</summary>
    public static ObservabilityScenario WithIdentity { get; } = new("observability", "Identity model: metrics scraped, access log and traces, against none of it", OfIdentity);

    /// <summary>With the model that does nothing.</summary>
    public static ObservabilityScenario WithNoOp { get; } = new("observability-noop", "No-op model: metrics scraped, access log and traces, against none of it", OfNoOp);

    public string Name { get; }

    public string Title { get; }

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithNoOp();
        store.AddGraph(Identity, "batchSize: 32\nmaxQueueSize: 1000", graph => graph.Output(graph.Node("y", "Identity", [graph.Input("x", DataType.Float, "batch", Numbers)]), DataType.Float, "batch", Numbers));
        using var sink = new TraceSink();
        var logs = Directory.CreateTempSubdirectory("serve-bench-logs-");
        try
        {
            using var off = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
            using var on = ServeProcess.StartAndListen(
                repository.Server, store.Path, settings.FastPath,
                "--log-level", "information", "--access-log", "true", "--logging-folder", logs.FullName, "--tracing-endpoint", sink.Url, "--tracing-sampling-ratio", "0.1");

            foreach (var server in (ServeProcess[])[off, on])
            {
                server.WaitForAnswer("/predictions/noop", "application/octet-stream", [1]);
                server.WaitForAnswer($"/v2/models/{Identity}/infer", "application/json", JsonBody());
            }

            for (var i = 0; i < ScrapesBefore; i++) on.Scrape();
            foreach (var workload in _workloads) Compare(settings, report, off, on, sink, workload);
            AddLosses(report, on, sink);
        }
        finally
        {
            logs.Delete(recursive: true);
        }
    }

    private void Compare(BenchmarkSettings settings, Report report, ServeProcess off, ServeProcess on, TraceSink sink, Workload workload)
    {
        var (model, request, connections, bar) = workload;
        using var without = LoadClients.InClosedLoop(off.Inference, connections, request(off));
        using var with = LoadClients.InClosedLoop(on.Inference, connections, request(on));
        foreach (var clients in (LoadClients[])[without, with]) clients.WarmUp();

        var rounds = new List<(Turn Off, Turn On)>();
        foreach (var _ in settings.EachRound())
        {
            // Each goes first as often as the other.
            if (rounds.Count % 2 == 0)
            {
                var first = Turn.Take(off, without, settings.Duration, sink, scrapes: false);
                rounds.Add((first, Turn.Take(on, with, settings.Duration, sink, scrapes: true)));
            }
            else
            {
                var first = Turn.Take(on, with, settings.Duration, sink, scrapes: true);
                rounds.Add((Turn.Take(off, without, settings.Duration, sink, scrapes: false), first));
            }
        }

        void Figure(string name, string unit, Bar limit, Func<(Turn Off, Turn On), double> value) =>
            report.Add(Name, string.Create(CultureInfo.InvariantCulture, $"{model}, c={connections}: {name}"), unit, limit, [.. rounds.Select(value)]);

        Figure("throughput, with all on, to all off", "", bar, round => round.On.Load.PerSecond / round.Off.Load.PerSecond);
        Figure("all off", "req/s", Bar.None, round => round.Off.Load.PerSecond);
        Figure("all on", "req/s", Bar.None, round => round.On.Load.PerSecond);
        Figure("median latency added", "µs", Bar.None, round => (round.On.Load.Median - round.Off.Load.Median).TotalMicroseconds);
        Figure("CPU of frontend, all off", "µs/req", Bar.None, round => round.Off.Frontend);
        Figure("CPU of frontend, all on", "µs/req", Bar.None, round => round.On.Frontend);
        Figure("CPU of the collector, all on", "µs/req", Bar.None, round => round.On.Collector);
        Figure("errors", "answers", Bar.Below(1), round => (double)(round.Off.Load.Errors + round.On.Load.Errors));
    }

    // A log and traces that are lost cost nothing.
    private void AddLosses(Report report, ServeProcess on, TraceSink sink)
    {
        var requests = on.SumOfMetrics("serve_requests_total");
        report.Add(Name, "traced requests of all", "%", Bar.None, [100 * (on.Metric("serve_traces_total") ?? 0) / requests]);
        report.Add(Name, "traces dropped", "", Bar.Below(1), [on.Metric("serve_traces_dropped_total") ?? 0]);
        report.Add(Name, "log lines dropped", "", Bar.Below(1), [on.Metric("serve_log_lines_dropped_total{log=\"access\"}") ?? 0]);
        report.Add(Name, "bytes of spans for a request", "B", Bar.None, [sink.CountBytes() / requests]);
    }

    private static byte[] NoOp(ServeProcess server) => RequestBytes.Post(new Uri($"http://{server.Inference}/predictions/noop"), "application/octet-stream", [1]);

    private static byte[] Json(ServeProcess server) => RequestBytes.Post(UrlOf(server), "application/json", JsonBody());

    private static byte[] Binary(ServeProcess server)
    {
        var tensor = MemoryMarshal.AsBytes(Tensor().AsSpan());
        var json = Encoding.UTF8.GetBytes($$"""{"parameters":{"binary_data_output":true},"inputs":[{"name":"x","shape":[1,{{Numbers}}],"datatype":"FP32","parameters":{"binary_data_size":{{tensor.Length}} } }]}""");
        return RequestBytes.Post(UrlOf(server), "application/octet-stream", [.. json, .. tensor], KeyValuePair.Create("Inference-Header-Content-Length", json.Length.ToString(CultureInfo.InvariantCulture)));
    }

    private static byte[] JsonBody() =>
        Encoding.UTF8.GetBytes($$"""{"inputs":[{"name":"x","shape":[1,{{Numbers}}],"datatype":"FP32","data":[{{string.Join(',', Tensor().Select(value => value.ToString("R", CultureInfo.InvariantCulture)))}}]}]}""");

    private static float[] Tensor()
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, Numbers).Select(_ => random.NextSingle())];
    }

    private static Uri UrlOf(ServeProcess server) => new($"http://{server.Inference}/v2/models/{Identity}/infer");

    /// <summary>What is asked.</summary>
    /// <param name="Model">In the figures' names.</param>
    /// <param name="Request">Makes the request.</param>
    /// <param name="Connections">How many ask.</param>
    /// <param name="Bar">Of the throughput with all on to that with all off.</param>
    private sealed record Workload(string Model, Func<ServeProcess, byte[]> Request, int Connections, Bar Bar);

    /// <summary>One server's turn.</summary>
    /// <param name="Load">What its clients measured.</param>
    /// <param name="Frontend">CPU of its frontend, microseconds a request.</param>
    /// <param name="Collector">CPU of the collector meanwhile, likewise.</param>
    private sealed record Turn(LoadResult Load, double Frontend, double Collector)
    {
        public static Turn Take(ServeProcess server, LoadClients clients, TimeSpan duration, TraceSink sink, bool scrapes)
        {
            using var prometheus = scrapes ? new Scraper(server) : null;
            var meter = CpuMeter.Start(server.Pid, sink.Pid);
            var load = clients.Run(duration);
            var used = meter.Stop();
            return new Turn(load, used[0].TotalMicroseconds / load.Answers, used[1].TotalMicroseconds / load.Answers);
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
