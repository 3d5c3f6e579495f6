using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// Whether <c>serve tune</c> finds the best setting of a real model in a fraction of the time: the search, and then every
/// setting of the same space. The choices of both are then measured in turns: a grid's best is always partly luck, and a
/// machine's speed drifts while a grid is measured.
/// </summary>
internal sealed class TuneVitScenario : IScenario
{
    private const string Model = "vit_s_16";

    private const int Clients = 16;

    private static readonly string[] Space =
    [
        "--concurrency", $"{Clients}", "--window", "300ms",
        "--batch-sizes", "1,2,4,8", "--instances", "1,2", "--workers", "1,2", "--intra-op-threads", "0,1", "--delays", "adaptive", "--decode-threads", "0",
    ];

    public string Name => "tune-vit";

    public string Title => "serve tune on vit_s_16, the search against every setting";

    public bool IsLong => true;

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var pictures = PictureFolder.Photos(repository, 500, 375);
        using var store = TemporaryStore.WithCreated(Model);
        store.Configure(Model, "handler: image_classifier\n");
        var search = ServeTune.Run(repository.Server, store.Path, Model, pictures.Path, Space);
        var grid = ServeTune.Run(repository.Server, store.Path, Model, pictures.Path, [.. Space, "--grid"]);
        var best = grid.PerSecond.MaxBy(setting => setting.Value);

        report.Add(Name, $"choice ({search.Best}) to the best of the grid ({best.Key})", "", Bar.AtLeast(0.95), [.. InTurns(repository, settings, pictures.Files, search.Best, best.Key)]);
        report.Add(Name, "the same, as the grid measured both", "", Bar.None, [grid.PerSecond[search.Best] / best.Value]);
        report.Add(Name, "time of the search to the grid's", "", Bar.Below(1 / 3.0), [search.Time / grid.Time]);
        report.Add(Name, $"settings looked at, of all {grid.GridSize}", "", Bar.None, [search.PerSecond.Count / (double)grid.GridSize]);
        report.Add(Name, "choice, in the search", "images/s", Bar.None, [search.BestPerSecond]);
        report.Add(Name, "choice, in the grid", "images/s", Bar.None, [grid.PerSecond[search.Best]]);
        report.Add(Name, "best of the grid", "images/s", Bar.None, [best.Value]);
        report.Add(Name, "worst of the grid", "images/s", Bar.None, [grid.PerSecond.Values.Min()]);
        report.Add(Name, "time of the search", "s", Bar.None, [search.Time.TotalSeconds]);
        report.Add(Name, "time of the grid", "s", Bar.None, [grid.Time.TotalSeconds]);
    }

    private static IEnumerable<double> InTurns(Repository repository, BenchmarkSettings settings, IReadOnlyList<byte[]> pictures, TunedSetting choice, TunedSetting best)
    {
        if (choice == best) return [1];
        using var storeOfChoice = TemporaryStore.WithCreated(Model);
        using var storeOfBest = TemporaryStore.WithCreated(Model);
        using var ours = new PictureServer(repository, settings, storeOfChoice, Model, Yaml(choice), pictures, Clients);
        using var theirs = new PictureServer(repository, settings, storeOfBest, Model, Yaml(best), pictures, Clients);
        return [.. settings.EachRound().Select(_ => ours.Run(2 * settings.Duration) / theirs.Run(2 * settings.Duration))];
    }

    private static string Yaml(TunedSetting setting) => $"""
        handler: image_classifier
        batchSize: {setting.BatchSize}
        instances: {setting.Instances}
        minWorkers: {setting.Workers}
        maxWorkers: {setting.Workers}
        execution:
          intraOpThreads: {setting.IntraOpThreads}
        """;
}
