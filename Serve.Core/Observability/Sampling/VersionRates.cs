namespace Serve.Core.Observability.Sampling;

/// <summary>What one version did between two readings.</summary>
public sealed record VersionRates
{
    /// <summary>Answers a second, whatever they were.</summary>
    public required double RequestsPerSecond { get; init; }

    /// <summary>Answers with a status of 500 or more a second.</summary>
    public required double ServerErrorsPerSecond { get; init; }

    /// <summary>Answers with a status from 400 to 499 a second; clients that left are among them.</summary>
    public required double ClientErrorsPerSecond { get; init; }

    /// <summary>How long the requests took that were answered, in seconds.</summary>
    public required HistogramCounts Durations { get; init; }

    /// <summary>Rows of the mean batch; null if none was executed.</summary>
    public required double? MeanBatch { get; init; }

    /// <summary>Batches a second, by the upper bound of their rows.</summary>
    public required IReadOnlyList<(double Rows, double PerSecond)> Batches { get; init; }

    /// <summary>The mean time in each stage that some request has left, in the order of <see cref="RequestStage"/>.</summary>
    public required IReadOnlyList<(string Name, TimeSpan Mean)> Stages { get; init; }

    /// <summary>What lies between two readings.</summary>
    /// <param name="earlier">The earlier one.</param>
    /// <param name="later">The later one.</param>
    /// <param name="elapsed">The time between them; more than zero.</param>
    public static VersionRates Between(VersionReading earlier, VersionReading later, TimeSpan elapsed)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        ArgumentNullException.ThrowIfNull(later);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(elapsed, TimeSpan.Zero);
        var batches = later.Batches - earlier.Batches;
        var count = batches.Total;
        return new VersionRates
        {
            RequestsPerSecond = PerSecond(later.Answered - earlier.Answered),
            ServerErrorsPerSecond = PerSecond(later.ServerErrors - earlier.ServerErrors),
            ClientErrorsPerSecond = PerSecond(later.ClientErrors - earlier.ClientErrors),
            Durations = later.Durations - earlier.Durations,
            MeanBatch = count > 0 ? (later.BatchRows - earlier.BatchRows) / count : null,
            Batches = [.. batches.Bounds.Zip(batches.Counts, (rows, batchesOfSize) => (rows, PerSecond(batchesOfSize)))],
            Stages = [.. later.Stages.Select((stage, i) => Mean(i < earlier.Stages.Count ? earlier.Stages[i] : default, stage)).OfType<(string, TimeSpan)>()],
        };

        double PerSecond(long grown) => Math.Max(0, grown) / elapsed.TotalSeconds;
    }

    private static (string, TimeSpan)? Mean(StageReading earlier, StageReading later)
    {
        var requests = later.Requests - earlier.Requests;
        return requests > 0 ? (later.Name, TimeSpan.FromSeconds(Math.Max(0, later.Seconds - earlier.Seconds) / requests)) : null;
    }
}
