using System.Diagnostics;

namespace Serve.LoadGenerator.ServerSide;

/// <summary>What the server's own metrics say of a stretch of time.</summary>
public sealed record ServerFigures
{
    private const double ShortestTold = 2.5;
    private const string DeviceBusySeconds = "serve_worker_device_busy_seconds_total";

    /// <summary>The mean time of a request in each stage, in the order in which it crosses them.</summary>
    public required IReadOnlyList<StageTime> Stages { get; init; }

    /// <summary>Rows of the mean batch; 0 if there was none.</summary>
    public required double MeanBatch { get; init; }

    /// <summary>
    /// Share of the time in which a worker's device executed for it, 0 to 1, the mean of the workers. Workers tell it once a
    /// second; over a shorter stretch it is told from the batches' times, which is right when they are of one size.
    /// </summary>
    public required double DeviceBusy { get; init; }

    /// <summary>The same for each worker, least first; empty over a short stretch.</summary>
    public IReadOnlyList<double> WorkersBusy { get; init; } = [];

    /// <summary>CPU of the frontend process, in cores.</summary>
    public required double FrontendCores { get; init; }

    /// <summary>Resident memory of all workers at the end.</summary>
    public required long WorkerMemoryBytes { get; init; }

    /// <summary>Requests that were refused on arrival, by reason.</summary>
    public required IReadOnlyDictionary<string, long> Rejected { get; init; }

    /// <summary>What lies between two scrapes, for some models.</summary>
    /// <param name="before">The earlier scrape.</param>
    /// <param name="after">The later one.</param>
    /// <param name="models">Names, some perhaps with a version: <c>NAME/VERSION</c>.</param>
    /// <returns>Null if the scrapes are not of a server with such metrics.</returns>
    public static ServerFigures? Between(MetricsSample before, MetricsSample after, IReadOnlyList<string> models)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        bool IsMeant(MetricsSample.Series series) => models.Contains(series.Label("model")) || models.Contains($"{series.Label("model")}/{series.Label("version")}");
        double Grown(string name, Func<MetricsSample.Series, bool> which) => Math.Max(0, after.Sum(name, which) - before.Sum(name, which));

        if (!after.Of("serve_stage_duration_seconds_count").Any(IsMeant)) return null;
        var elapsed = Stopwatch.GetElapsedTime(before.Timestamp, after.Timestamp).TotalSeconds;
        var stages = new List<StageTime>();
        foreach (var stage in after.Of("serve_stage_duration_seconds_count").Where(IsMeant).Select(series => series.Label("stage")).Distinct())
        {
            bool IsOfStage(MetricsSample.Series series) => series.Label("stage") == stage && IsMeant(series);
            var count = Grown("serve_stage_duration_seconds_count", IsOfStage);
            if (count > 0) stages.Add(new StageTime(stage, TimeSpan.FromSeconds(Grown("serve_stage_duration_seconds_sum", IsOfStage) / count)));
        }

        var batches = Grown("serve_batch_size_count", IsMeant);
        var workersBusy = elapsed < ShortestTold ? [] : WorkersBusyOf(before, after, IsMeant, elapsed);
        var workers = Math.Max(1, after.Of(DeviceBusySeconds).Count(IsMeant));
        var execute = stages.Find(stage => stage.Stage == "execute")?.Mean.TotalSeconds ?? 0;
        return new ServerFigures
        {
            Stages = stages,
            MeanBatch = batches > 0 ? Grown("serve_batch_size_sum", IsMeant) / batches : 0,
            DeviceBusy = workersBusy.Count > 0 ? workersBusy.Average() : elapsed > 0 ? Math.Min(1, batches * execute / elapsed / workers) : 0,
            WorkersBusy = workersBusy,
            FrontendCores = elapsed > 0 ? Grown("process_cpu_seconds_total", _ => true) / elapsed : 0,
            WorkerMemoryBytes = (long)after.Sum("serve_worker_memory_bytes", IsMeant),
            Rejected = after.Of("serve_rejected_total").Where(IsMeant).GroupBy(series => series.Label("reason"))
                .Select(reason => KeyValuePair.Create(reason.Key, (long)Grown("serve_rejected_total", series => series.Label("reason") == reason.Key && IsMeant(series))))
                .Where(reason => reason.Value > 0).ToDictionary(),
        };
    }

    // Of the workers that are there at the end; one that began meanwhile had the whole time all the same, for somebody was to be there.
    internal static List<double> WorkersBusyOf(MetricsSample before, MetricsSample after, Func<MetricsSample.Series, bool> isMeant, double elapsed)
    {
        var shares = new List<double>();
        foreach (var worker in after.Of(DeviceBusySeconds).Where(isMeant))
        {
            var earlier = before.Sum(DeviceBusySeconds, series => isMeant(series) && series.Label("worker") == worker.Label("worker"));
            shares.Add(Math.Clamp((worker.Value - earlier) / elapsed, 0, 1));
        }

        shares.Sort();
        return shares;
    }
}

/// <summary>The mean time of a request in a stage.</summary>
/// <param name="Stage">The stage's name in the metrics.</param>
/// <param name="Mean">The mean.</param>
public sealed record StageTime(string Stage, TimeSpan Mean);
