using System.Globalization;
using Serve.Benchmarks.Peers;
using Serve.Benchmarks.Reporting;
using Serve.Worker.Execution;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// How much of a process that does nothing else the server reaches: vit_s_16, JPEGs over HTTP at saturation, against a loop
/// that decodes and executes the same batches with the same threads.
/// </summary>
internal sealed class EfficiencyScenario : IScenario
{
    private const string Model = "vit_s_16";
    private const int Batch = 8;
    private const int Clients = 32;

    public string Name => "efficiency";

    public string Title => "vit_s_16, JPEGs in, against a bare loop that decodes and executes";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var pictures = PictureFolder.Photos(repository, 500, 375);
        using var store = TemporaryStore.WithCreated(Model);
        using var serve = new PictureServer(repository, settings, store, Model, $"handler: image_classifier\nbatchSize: {Batch}\nminWorkers: 1\nmaxWorkers: 1\n", pictures.Files, Clients);
        using var bare = new BarePictures(serve.ModelFile, pictures.Path, new BarePictures.Plan(Batch, CpuBudget.IntraOpThreads(1, 1), CpuBudget.DecodeThreads(1)));
        bare.Run(BarePictures.Work.Overlapped, TimeSpan.FromSeconds(2));

        // A batch takes a good part of a second: short measurements would count parts of batches.
        var duration = settings.Duration * 2.5;
        var rounds = new List<(double Serve, double Overlapped, double InTurns)>();
        var (copiedBefore, rowsBefore) = (serve.WorkerMetric("serve_worker_copied_rows_total"), serve.WorkerMetric("serve_worker_rows_total"));
        foreach (var _ in settings.EachRound())
        {
            rounds.Add((serve.Run(duration), bare.Run(BarePictures.Work.Overlapped, duration).ExecutedPerSecond, bare.Run(BarePictures.Work.InTurns, duration).ExecutedPerSecond));
        }

        Thread.Sleep(TimeSpan.FromSeconds(1.5)); // until the worker has told its last figures
        var rows = serve.WorkerMetric("serve_worker_rows_total") - rowsBefore;
        report.Add(Name, "ratio to the bare loop, the better of both", "", Bar.AtLeast(0.90), [.. rounds.Select(round => round.Serve / Math.Max(round.Overlapped, round.InTurns))]);
        report.Add(Name, string.Create(CultureInfo.InvariantCulture, $"Serve, {Clients} clients"), "images/s", Bar.None, [.. rounds.Select(round => round.Serve)]);
        report.Add(Name, "bare loop, decoding while it executes", "images/s", Bar.None, [.. rounds.Select(round => round.Overlapped)]);
        report.Add(Name, "bare loop, in turns", "images/s", Bar.None, [.. rounds.Select(round => round.InTurns)]);
        if (rows > 0) report.Add(Name, "rows copied beside others of their batch", "of all", Bar.Below(0.2), [(serve.WorkerMetric("serve_worker_copied_rows_total") - copiedBefore) / rows]);
    }
}
