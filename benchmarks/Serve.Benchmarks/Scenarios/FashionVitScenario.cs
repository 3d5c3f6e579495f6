using System.Globalization;
using Serve.Benchmarks.Load;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// How much of the machine reaches the model: pictures per second through HTTP, PNGs in, labels out, with the settings that
/// the model ships with, against ONNX Runtime alone.
/// </summary>
internal sealed class FashionVitScenario : IScenario
{
    private const string Path = "/predictions/fashion-vit";
    private const string ContentType = "image/png";
    private const int ShippedBatch = 32;
    private const int Clients = 64;
    private const int MostPictures = 256;

    private static readonly int[] Batches = [1, 2, 4, 8, 16, 32, 64];
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Glance = TimeSpan.FromSeconds(0.5);

    // The worker's own choice for one worker with one instance, and ONNX Runtime's defaults.
    private static readonly Threads[] ThreadSettings =
    [
        new(Worker.Execution.CpuBudget.IntraOpThreads(instances: 1, hostWorkers: 1), "worker's threads"),
        new(0, "default threads"),
    ];

    public string Name => "vit";

    public string Title => "fashion-vit, PNGs in, against ONNX Runtime alone";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        var pictures = repository.Pictures(MostPictures);
        using var store = TemporaryStore.WithFashionVit(repository);
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        using var bare = new BareOnnxRuntime(Directory.EnumerateFiles(store.Path, "model.onnx", SearchOption.AllDirectories).Single());
        serve.WaitForAnswer(Path, ContentType, pictures[0]);

        MeasureThroughput(serve, bare, pictures, settings, report);
        MeasureLatency(serve, bare, pictures, settings, report);
    }

    private void MeasureThroughput(ServeProcess serve, BareOnnxRuntime bare, IReadOnlyList<byte[]> pictures, BenchmarkSettings settings, Report report)
    {
        using var clients = LoadClients.InClosedLoop(serve.Inference, Clients, Path, ContentType, pictures);
        var worker = serve.WorkerPids("fashion-vit").Single();
        clients.Run(WarmUp);

        // Every batch size at a glance; then in the rounds those that matter: the shipped one, and the best.
        var best = ThreadSettings
            .SelectMany(_ => Batches, (threads, batch) => new Bare(threads, batch))
            .MaxBy(candidate => candidate.Run(bare, Glance).RowsPerSecond);
        Bare[] compared = [.. ThreadSettings.Select(threads => new Bare(threads, ShippedBatch)).Append(best).Distinct()];

        var rounds = new List<Round>();
        var (batchesBefore, rowsBefore) = BatchCount(serve);
        foreach (var _ in settings.EachRound())
        {
            var meter = CpuMeter.Start(serve.Pid, worker, Environment.ProcessId);
            var ours = clients.Run(settings.Duration);
            var used = meter.Stop();
            rounds.Add(new Round(ours, used, [.. compared.Select(candidate => Limit.Measure(candidate, bare, settings.Duration))]));
        }

        var (batchesAfter, rowsAfter) = BatchCount(serve);
        double[] Rates(int at) => [.. rounds.Select(round => round.Limits[at].RowsPerSecond)];
        var fastest = Enumerable.Range(0, compared.Length).MaxBy(at => Figure.MedianOf(Rates(at)));
        report.Add(Name, $"c={Clients} ratio to bare ONNX Runtime ({compared[fastest]})", "", Bar.AtLeast(0.70), [.. rounds.Select(round => round.Serve.PerSecond / round.Limits[fastest].RowsPerSecond)]);
        report.Add(Name, $"c={Clients} Serve", "images/s", Bar.None, [.. rounds.Select(round => round.Serve.PerSecond)]);
        for (var at = 0; at < compared.Length; at++) report.Add(Name, $"bare ONNX Runtime, {compared[at]}", "images/s", Bar.None, Rates(at));
        if (batchesAfter > batchesBefore) report.Add(Name, $"c={Clients} mean batch", "images", Bar.AtLeast(4), [(rowsAfter - rowsBefore) / (batchesAfter - batchesBefore)]);
        report.Add(Name, $"c={Clients} median latency", "ms", Bar.None, [.. rounds.Select(round => round.Serve.Median.TotalMilliseconds)]);
        report.Add(Name, $"c={Clients} 99th percentile", "ms", Bar.None, [.. rounds.Select(round => round.Serve.P99.TotalMilliseconds)]);
        string[] names = ["frontend", "worker", "client"];
        for (var n = 0; n < names.Length; n++) report.Add(Name, $"c={Clients} CPU of {names[n]}", "µs/image", Bar.None, [.. rounds.Select(round => round.Cpu[n].TotalMicroseconds / round.Serve.Answers)]);
        report.Add(Name, $"CPU of bare ONNX Runtime, {compared[fastest]}", "µs/image", Bar.None, [.. rounds.Select(round => round.Limits[fastest].CpuMicroseconds)]);
        report.Add(Name, $"c={Clients} errors", "answers", Bar.Below(1), [.. rounds.Select(round => (double)round.Serve.Errors)]);
    }

    private void MeasureLatency(ServeProcess serve, BareOnnxRuntime bare, IReadOnlyList<byte[]> pictures, BenchmarkSettings settings, Report report)
    {
        using var client = LoadClients.InClosedLoop(serve.Inference, 1, Path, ContentType, pictures);
        client.Run(WarmUp / 4);

        var rounds = new List<(TimeSpan Serve, TimeSpan[] Calls)>();
        foreach (var _ in settings.EachRound())
        {
            var ours = client.Run(settings.Duration).Median;
            rounds.Add((ours, [.. ThreadSettings.Select(threads => new Bare(threads, 1).Run(bare, settings.Duration).MedianCall)]));
        }

        var fastest = Enumerable.Range(0, ThreadSettings.Length).MinBy(at => Figure.MedianOf(rounds.Select(round => round.Calls[at].TotalMilliseconds)));
        report.Add(Name, $"c=1 median latency above the bare call ({ThreadSettings[fastest].Name})", "ms", Bar.Below(1), [.. rounds.Select(round => (round.Serve - round.Calls[fastest]).TotalMilliseconds)]);
        report.Add(Name, "c=1 median latency", "ms", Bar.None, [.. rounds.Select(round => round.Serve.TotalMilliseconds)]);
        for (var at = 0; at < ThreadSettings.Length; at++)
        {
            report.Add(Name, $"bare call of one picture, {ThreadSettings[at].Name}", "ms", Bar.None, [.. rounds.Select(round => round.Calls[at].TotalMilliseconds)]);
        }
    }

    private static (double Batches, double Rows) BatchCount(ServeProcess serve)
    {
        const string Labels = "{model=\"fashion-vit\",version=\"1.0\"}";
        return (serve.Metric($"serve_batch_size_count{Labels}") ?? 0, serve.Metric($"serve_batch_size_sum{Labels}") ?? 0);
    }

    private readonly record struct Threads(int Count, string Name);

    private readonly record struct Bare(Threads Threads, int Batch)
    {
        public BareOnnxRuntime.Rate Run(BareOnnxRuntime bare, TimeSpan duration) => bare.Run(Threads.Count, Batch, duration);

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"batch {Batch}, {Threads.Name}");
    }

    private readonly record struct Limit(double RowsPerSecond, double CpuMicroseconds)
    {
        public static Limit Measure(Bare candidate, BareOnnxRuntime bare, TimeSpan duration)
        {
            var meter = CpuMeter.Start(bare.Pid);
            var rate = candidate.Run(bare, duration).RowsPerSecond;
            return new Limit(rate, meter.Stop()[0].TotalMicroseconds / (rate * duration.TotalSeconds));
        }
    }

    private sealed record Round(LoadResult Serve, TimeSpan[] Cpu, Limit[] Limits);
}
