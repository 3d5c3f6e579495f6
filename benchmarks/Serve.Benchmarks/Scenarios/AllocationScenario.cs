using Serve.Benchmarks.Load;
using Serve.Benchmarks.Processes;
using Serve.Benchmarks.Reporting;

namespace Serve.Benchmarks.Scenarios;

/// <summary>
/// Bytes that a request costs the garbage collectors of frontend and worker, by their own counters. These bars are budgets:
/// a run that exceeds one fails, because what is allocated does not depend on how busy the machine is.
/// </summary>
internal sealed class AllocationScenario : IScenario
{
    private const int Connections = 64;

    // What it is now with a little room, so that a run fails when it grows; and what it should become.
    private const double FrontendBudget = 760;
    private const double FrontendGoal = 700;
    private const double WorkerBudget = 50;

    // The worker tells its figures at its next heartbeat.
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(4);

    public string Name => "allocations";

    public string Title => "Bytes allocated for a request";

    public void Run(Repository repository, BenchmarkSettings settings, Report report)
    {
        using (var store = TemporaryStore.WithNoOp())
        {
            using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
            var (frontend, worker) = Measure(serve, settings, "noop", "application/octet-stream", [[1]]);
            report.Add(Name, "no-op model: frontend, against its goal", "B/request", Bar.Below(FrontendGoal), frontend);
            report.Add(Name, "no-op model: frontend", "B/request", Bar.Budget(FrontendBudget), frontend);
            report.Add(Name, "no-op model: worker, all of it", "B/request", Bar.Budget(WorkerBudget), worker);
        }

        using (var store = TemporaryStore.WithFashionVit(repository))
        {
            using var serve = ServeProcess.StartAndListen(repository.Server, store.Path, settings.FastPath);
            var (frontend, worker) = Measure(serve, settings, "fashion-vit", "image/png", repository.Pictures(256));
            report.Add(Name, "fashion-vit, PNGs: frontend", "B/request", Bar.None, frontend);
            report.Add(Name, "fashion-vit, PNGs: worker, with handler and decoder", "B/request", Bar.Budget(WorkerBudget), worker);
        }
    }

    private static (List<double> Frontend, List<double> Worker) Measure(ServeProcess serve, BenchmarkSettings settings, string model, string contentType, IReadOnlyList<byte[]> bodies)
    {
        var path = $"/predictions/{model}";
        serve.WaitForAnswer(path, contentType, bodies[0]);
        using var clients = LoadClients.InClosedLoop(serve.Inference, Connections, path, contentType, bodies);
        clients.Run(WarmUp);
        Thread.Sleep(Heartbeat);

        var (frontend, worker) = (new List<double>(), new List<double>());
        foreach (var _ in settings.EachRound())
        {
            // A scrape allocates too, after it has read the counters: one falls into the round. Two in a row say what that is.
            var scrape = Read(serve, model).Frontend;
            var before = Read(serve, model);
            scrape = before.Frontend - scrape;
            var answers = clients.Run(settings.Duration).Answers;
            Thread.Sleep(Heartbeat);
            var after = Read(serve, model);
            frontend.Add((after.Frontend - before.Frontend - scrape) / answers);
            worker.Add((after.Worker - before.Worker) / answers);
        }

        return (frontend, worker);
    }

    private static (double Frontend, double Worker) Read(ServeProcess serve, string model) =>
        (serve.Metric("serve_allocated_bytes_total") ?? 0, serve.SumOfMetrics("serve_worker_allocated_bytes_total", $"model=\"{model}\""));
}
