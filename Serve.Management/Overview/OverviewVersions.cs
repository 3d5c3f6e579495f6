using Serve.Core.Models;
using Serve.Core.Observability.Sampling;

namespace Serve.Management.Overview;

/// <summary>Puts a version's state and its rates together.</summary>
internal static class OverviewVersions
{
    /// <summary>A version as the overview shows it.</summary>
    /// <param name="version">The version.</param>
    /// <param name="rates">What it did lately.</param>
    /// <param name="deaths">Workers that it has lost.</param>
    public static OverviewVersion Of(ModelVersion version, VersionRates rates, long deaths)
    {
        var now = version.Describe();
        var workers = now.Workers.Select(Worker).ToList();
        return new OverviewVersion
        {
            Version = now.Version,
            IsDefault = now.IsDefault,
            State = now.State,
            Reason = now.Reason,
            Handler = now.Handler,
            MinWorkers = now.Configuration.MinWorkers,
            MaxWorkers = now.Configuration.MaxWorkers,
            Autoscales = now.Configuration.Autoscale is not null,
            RequestsPerSecond = Rounded(rates.RequestsPerSecond),
            ErrorsPerSecond = Rounded(rates.ServerErrorsPerSecond),
            ClientErrorsPerSecond = Rounded(rates.ClientErrorsPerSecond),
            P50Ms = Milliseconds(rates.Durations, 0.5),
            P90Ms = Milliseconds(rates.Durations, 0.9),
            P99Ms = Milliseconds(rates.Durations, 0.99),
            InFlight = version.Metrics.InFlight,
            Queue = now.PendingRequests,
            QueueCapacity = now.QueueLimit,
            HeadroomRatio = Rounded(now.Load.Headroom),
            BatchSize = now.Configuration.BatchSize,
            MeanBatch = Rounded(rates.MeanBatch),
            BatchFillRatio = Rounded(rates.MeanBatch / now.Configuration.BatchSize),
            BatchSizes = Batches(rates, now.Configuration.BatchSize),
            StagesMs = rates.Stages.ToDictionary(static stage => stage.Name, static stage => Rounded(stage.Mean.TotalMilliseconds)),
            DeviceBusyRatio = Rounded(workers.Average(static worker => worker.DeviceBusyRatio)),
            Workers = workers,
            Restarts = deaths,
            LastError = now.LastLoss is { } loss ? new OverviewError(loss.Time, $"worker {loss.Id}: {loss.Reason}") : null,
        };
    }

    /// <summary>A quantile of times in seconds, in milliseconds.</summary>
    public static double? Milliseconds(HistogramCounts seconds, double share) => Rounded(seconds.Quantile(share) * 1000);

    /// <summary>A figure with as many digits as anybody can use.</summary>
    public static double Rounded(double value) => Math.Round(value, 3);

    /// <inheritdoc cref="Rounded(double)"/>
    public static double? Rounded(double? value) => value is { } known && double.IsFinite(known) ? Math.Round(known, 3) : null;

    // The first bound at or above the largest batch ends the list: larger batches there are none.
    private static List<OverviewBatches> Batches(VersionRates rates, int largest)
    {
        var batches = new List<OverviewBatches>();
        foreach (var (rows, perSecond) in rates.Batches)
        {
            if (double.IsPositiveInfinity(rows)) break;
            batches.Add(new OverviewBatches((int)rows, Rounded(perSecond)));
            if (rows >= largest) break;
        }

        return batches;
    }

    private static OverviewWorker Worker(WorkerDescription worker) => new()
    {
        Id = worker.Id,
        Pid = worker.Pid,
        State = worker.State,
        Device = worker.Device,
        MemoryBytes = worker.MemoryBytes > 0 ? worker.MemoryBytes : null,
        DeviceMemoryBytes = worker.DeviceMemoryBytes,
        DeviceBusyRatio = worker.Stages.Elapsed > TimeSpan.Zero ? Rounded(worker.Stages.DeviceUse) : null,
        InFlight = worker.OutstandingRows,
        StartedAt = worker.StartTime,
        Restarts = worker.Restarts,
    };
}
