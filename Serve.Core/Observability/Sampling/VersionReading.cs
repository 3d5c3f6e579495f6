namespace Serve.Core.Observability.Sampling;

/// <summary>What the instruments of one version have counted until a moment. Only ever grows.</summary>
public sealed record VersionReading
{
    /// <summary>Of a version that has done nothing yet.</summary>
    public static VersionReading Nothing { get; } = new() { Durations = HistogramCounts.Empty, Batches = HistogramCounts.Empty, Stages = [] };

    /// <summary>Requests that were answered, whatever the answer was.</summary>
    public long Answered { get; init; }

    /// <summary>Of them, with a status from 400 to 499; 499 where the client left first.</summary>
    public long ClientErrors { get; init; }

    /// <summary>Of them, with a status of 500 or more.</summary>
    public long ServerErrors { get; init; }

    /// <summary>Workers that were lost.</summary>
    public long WorkerDeaths { get; init; }

    /// <summary>Rows of all batches.</summary>
    public double BatchRows { get; init; }

    /// <summary>How long requests took, in seconds.</summary>
    public required HistogramCounts Durations { get; init; }

    /// <summary>How many rows batches had.</summary>
    public required HistogramCounts Batches { get; init; }

    /// <summary>What requests spent in each stage, in the order of <see cref="RequestStage"/>.</summary>
    public required IReadOnlyList<StageReading> Stages { get; init; }
}

/// <summary>What requests have spent in a stage.</summary>
/// <param name="Name">The stage's name in the metrics.</param>
/// <param name="Requests">Requests that left it.</param>
/// <param name="Seconds">What they spent there, together.</param>
public readonly record struct StageReading(string Name, long Requests, double Seconds);
