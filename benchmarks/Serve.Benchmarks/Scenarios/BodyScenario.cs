using Serve.Benchmarks.Load;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>What bodies of some size cost: through the no-op model, against a Kestrel as it comes, which reads the same body and answers the same bytes.</summary>
/// <param name="name">As <c>--only</c> has it.</param>
/// <param name="size">Of the bodies, for people.</param>
/// <param name="bodyBytes">Of the bodies.</param>
/// <param name="ratio">What the ratio of requests per second must reach.</param>
/// <param name="frontendMicroseconds">What the frontend's CPU for a request must keep to.</param>
/// <param name="memory">What the frontend's resident memory must keep to, in MiB.</param>
internal sealed class BodyScenario(string name, string size, int bodyBytes, Bar ratio, Bar frontendMicroseconds, Bar memory) : IScenario
{
    private const string Path = "/predictions/noop";
    private const string ContentType = "application/octet-stream";
    private const int Connections = 16;

    /// <summary>A float32 picture of 224 by 224.</summary>
    public static BodyScenario Large => new("large", "600 KB", 600_000, Bar.None, Bar.Below(700), Bar.Below(150));

    /// <summary>A JPEG.</summary>
    public static BodyScenario Medium => new("body100k", "100 KiB", 100 << 10, Bar.AtLeast(1.2), Bar.None, Bar.None);

    public string Name => name;

    public string Title => $"No-op model, {size} bodies, {Connections} connections, against Kestrel with its defaults";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        var body = new byte[bodyBytes];
        new Random(1).NextBytes(body);
        using var store = TemporaryStore.WithNoOp();
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        using var bare = new BareKestrel("pool");
        serve.WaitForAnswer(Path, ContentType, body);
        var worker = serve.WorkerPids("noop").Single();
        using var onServe = LoadClients.InClosedLoop(serve.Inference, Connections, Path, ContentType, [body]);
        using var onBare = LoadClients.InClosedLoop(bare.Address, Connections, Path, ContentType, [body]);
        onServe.WarmUp();
        onBare.WarmUp();

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

        void Figure(string name, string unit, Bar bar, Func<Round, double> value) => report.Add(Name, name, unit, bar, [.. rounds.Select(value)]);
        Figure("ratio to bare Kestrel", "", ratio, round => round.Serve.PerSecond / round.Bare.PerSecond);
        Figure("CPU of frontend", "µs/req", frontendMicroseconds, round => round.Frontend.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of worker", "µs/req", Bar.None, round => round.Worker.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of client", "µs/req", Bar.None, round => round.Client.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of bare Kestrel", "µs/req", Bar.None, round => round.BareServer.TotalMicroseconds / round.Bare.Answers);
        Figure("Serve", "req/s", Bar.None, round => round.Serve.PerSecond);
        Figure("bare Kestrel", "req/s", Bar.None, round => round.Bare.PerSecond);
        Figure("errors", "answers", Bar.Below(1), round => round.Serve.Errors + round.Bare.Errors);
        report.Add(Name, "memory of frontend afterwards", "MiB", memory, [ProcessUse.ResidentBytes(serve.Pid) / (double)(1 << 20)]);
    }

    private sealed record Round(LoadResult Serve, LoadResult Bare, TimeSpan Frontend, TimeSpan Worker, TimeSpan Client, TimeSpan BareServer);
}
