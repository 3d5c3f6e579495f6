using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>What more executions at once cost in memory: instances share the weights, workers do not.</summary>
internal sealed class MemoryScenario : IScenario
{
    private const string Model = "vit_b_16";
    private const int Clients = 16;
    private const double BytesPerMebibyte = 1 << 20;

    // Until every instance has executed batches of every size at the same time as the others.
    private static readonly TimeSpan Load = TimeSpan.FromSeconds(8);

    public string Name => "memory";

    public string Title => "vit_b_16, memory of four instances and of four workers";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using var pictures = PictureFolder.Photos(repository, 500, 375);
        using var store = TemporaryStore.WithCreated(Model);
        double[] Resident(int workers, int instances)
        {
            using var serve = new PictureServer(
                repository, settings, store, Model, $"handler: image_classifier\nbatchSize: 2\nminWorkers: {workers}\nmaxWorkers: {workers}\ninstances: {instances}\n", pictures.Files, Clients);
            serve.Run(Load);
            var pids = serve.WorkerPids;
            return [pids.Sum(ProcessUse.ResidentBytes) / BytesPerMebibyte, pids.Sum(ProcessUse.ProportionalBytes) / BytesPerMebibyte];
        }

        var one = Resident(1, 1);
        var instances = Resident(1, 4);
        var workers = Resident(4, 1);
        report.Add(Name, "four instances to one", "", Bar.Below(1.35), [instances[0] / one[0]]);
        report.Add(Name, "one instance", "MiB", Bar.None, [one[0]]);
        report.Add(Name, "four instances, one worker", "MiB", Bar.None, [instances[0]]);
        report.Add(Name, "four workers, together", "MiB", Bar.None, [workers[0]]);
        report.Add(Name, "four workers, shared pages counted once", "MiB", Bar.None, [workers[1]]);
    }
}
