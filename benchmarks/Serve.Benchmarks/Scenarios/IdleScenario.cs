using System.Net;
using System.Net.Sockets;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>What the server costs while nobody asks, and how soon it answers after it was started.</summary>
internal sealed class IdleScenario : IScenario
{
    private const string Path = "/predictions/fashion-vit";
    private const string ContentType = "image/png";
    private const double BytesPerMebibyte = 1 << 20;

    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Watch = TimeSpan.FromSeconds(5);

    public string Name => "idle";

    public string Title => "Idle server, and the first answer after a start";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var store = TemporaryStore.WithFashionVit(repository);
        var picture = repository.Pictures(1)[0];
        MeasureStart(repository, settings, store, picture, report);
        MeasureIdle(repository, settings, store, picture, report);
    }

    private void MeasureStart(Repository repository, BenchmarkSettings settings, TemporaryStore store, byte[] picture, Report report)
    {
        var starts = new List<double>();

        // One more than is counted: the first finds its files not in memory.
        for (var i = 0; i <= settings.Rounds; i++)
        {
            using var serve = ServeProcess.StartAt(repository.Server, store.Path, settings.FastPath, FreeEndPoint());
            var took = serve.WaitForAnswer(Path, ContentType, picture);
            if (i > 0) starts.Add(took.TotalSeconds);
        }

        report.Add(Name, "first answer of fashion-vit after process start", "s", Bar.Below(1.5), starts);
    }

    private void MeasureIdle(Repository repository, BenchmarkSettings settings, TemporaryStore store, byte[] picture, Report report)
    {
        using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
        serve.WaitForAnswer(Path, ContentType, picture);
        var worker = serve.WorkerPids("fashion-vit").Single();
        Thread.Sleep(Settle);

        var rounds = new List<(double[] Percent, double Frontend, double Worker)>();
        foreach (var _ in settings.EachRound())
        {
            var meter = CpuMeter.Start(serve.Pid, worker);
            Thread.Sleep(Watch);
            rounds.Add((meter.StopAsPercentOfCore(), ProcessUse.ResidentBytes(serve.Pid) / BytesPerMebibyte, ProcessUse.ResidentBytes(worker) / BytesPerMebibyte));
        }

        report.Add(Name, "CPU of frontend", "% of a core", Bar.Below(1), [.. rounds.Select(round => round.Percent[0])]);
        report.Add(Name, "memory of frontend", "MiB", Bar.Below(90), [.. rounds.Select(round => round.Frontend)]);
        report.Add(Name, "CPU of worker", "% of a core", Bar.Below(1), [.. rounds.Select(round => round.Percent[1])]);
        report.Add(Name, "memory of worker", "MiB", Bar.None, [.. rounds.Select(round => round.Worker)]);
    }

    private static IPEndPoint FreeEndPoint()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)socket.LocalEndPoint!;
    }
}
