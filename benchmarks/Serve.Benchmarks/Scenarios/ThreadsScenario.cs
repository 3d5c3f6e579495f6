using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>Whether the threads that Serve chooses by itself are the right ones for this machine: a small sweep against its defaults.</summary>
internal sealed class ThreadsScenario : IScenario
{
    private const string Model = "vit_ti_16";
    private const int Clients = 32;

    public string Name => "threads";

    public string Title => "vit_ti_16, JPEGs in: a sweep of threads, spinning and instances against the defaults";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var pictures = PictureFolder.Photos(repository, 500, 375);
        using var store = TemporaryStore.WithCreated(Model);
        Setting[] sweep = [new("defaults", ""), .. Grid()];
        var rates = sweep.ToDictionary(setting => setting, _ => new List<double>());
        foreach (var _ in settings.EachRound())
        {
            foreach (var setting in sweep)
            {
                using var serve = new PictureServer(repository, settings, store, Model, $"handler: image_classifier\nbatchSize: 8\nminWorkers: 1\nmaxWorkers: 1\n{setting.Yaml}", pictures.Files, Clients);
                rates[setting].Add(serve.Run(settings.Duration));
            }
        }

        // Which is best is decided by the medians; how far the defaults are from it, round by round.
        var best = sweep.MaxBy(setting => Figure.MedianOf(rates[setting]))!;
        report.Add(Name, $"defaults to the best ({best.Name})", "", Bar.AtLeast(0.90), [.. rates[sweep[0]].Zip(rates[best], (ours, theirs) => ours / theirs)]);
        foreach (var setting in sweep) report.Add(Name, setting.Name, "images/s", Bar.None, rates[setting]);
    }

    private static IEnumerable<Setting> Grid()
    {
        int[] threads = [.. new[] { 1, Environment.ProcessorCount / 2, Environment.ProcessorCount }.Where(count => count > 0).Distinct()];
        foreach (var instances in (int[])[1, 2])
        {
            foreach (var intra in threads)
            {
                foreach (var spinning in (bool[])[false, true])
                {
                    if (spinning && intra == 1) continue; // nobody to spin
                    yield return new Setting(
                        $"{instances} instances, {intra} threads{(spinning ? ", spinning" : "")}",
                        $"instances: {instances}\nexecution:\n  intraOpThreads: {intra}\n  allowSpinning: {(spinning ? "true" : "false")}\n");
                }
            }
        }

        yield return new Setting($"{Environment.ProcessorCount} decode threads", $"decodeThreads: {Environment.ProcessorCount}\n");
    }

    private sealed record Setting(string Name, string Yaml);
}
