using Serve.Benchmarks.Load;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>What a float32 picture costs the frontend: bodies of 600 KB through the no-op model.</summary>
internal sealed class LargeBodyScenario : IScenario
{
    private const string Path = "/predictions/noop";
    private const string ContentType = "application/octet-stream";
    private const int Connections = 16;
    private const int BodyBytes = 600_000;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    public string Name => "large";

    public string Title => "No-op model, 600 KB bodies, 16 connections";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        var body = new byte[BodyBytes];
        new Random(1).NextBytes(body);
        using var store = TemporaryStore.WithNoOp();
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        using var bare = new BareKestrel(settings.FastPath);
        serve.WaitForAnswer(Path, ContentType, body);
        var worker = serve.WorkerPids("noop").Single();
        using var onServe = LoadClients.InClosedLoop(serve.Inference, Connections, Path, ContentType, [body]);
        using var onBare = LoadClients.InClosedLoop(bare.Address, Connections, Path, ContentType, [body]);
        onServe.Run(WarmUp);
        onBare.Run(WarmUp);

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
        Figure("CPU of frontend", "µs/req", Bar.Below(700), round => round.Frontend.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of worker", "µs/req", Bar.None, round => round.Worker.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of client", "µs/req", Bar.None, round => round.Client.TotalMicroseconds / round.Serve.Answers);
        Figure("CPU of bare Kestrel", "µs/req", Bar.None, round => round.BareServer.TotalMicroseconds / round.Bare.Answers);
        Figure("Serve", "req/s", Bar.None, round => round.Serve.PerSecond);
        Figure("bare Kestrel", "req/s", Bar.None, round => round.Bare.PerSecond);
        Figure("errors", "answers", Bar.Below(1), round => round.Serve.Errors + round.Bare.Errors);
        report.Add(Name, "memory of frontend afterwards", "MiB", Bar.None, [ProcessUse.ResidentBytes(serve.Pid) / (double)(1 << 20)]);
    }

    private sealed record Round(LoadResult Serve, LoadResult Bare, TimeSpan Frontend, TimeSpan Worker, TimeSpan Client, TimeSpan BareServer);
}
