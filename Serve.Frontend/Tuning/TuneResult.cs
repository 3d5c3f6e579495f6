namespace Serve.Frontend.Tuning;

/// <summary>How well a setting was measured.</summary>
internal enum TuneEffort
{
    /// <summary>Short windows, in turns with the best so far: to see where to go.</summary>
    Glance,

    /// <summary>Long windows; in the final in turns with each other: to decide.</summary>
    Full,
}

/// <summary>What a setting does.</summary>
internal sealed record TuneResult
{
    public required TuneSetting Setting { get; init; }

    public TuneEffort Effort { get; init; }

    /// <summary>
    /// Answers per second, at the most clients for which the bound holds. At a glance: as many times those of the best so far as
    /// both did in turns. Of a final: as many times their mean.
    /// </summary>
    public double PerSecond { get; init; }

    public double P50Milliseconds { get; init; }

    public double P99Milliseconds { get; init; }

    /// <summary>Clients of the closed loop.</summary>
    public int Clients { get; init; }

    public double MeanBatch { get; init; }

    /// <summary>The mean time of a batch.</summary>
    public double ExecuteMilliseconds { get; init; }

    /// <summary>The mean time of a request in decoding, and waiting for it.</summary>
    public double DecodeMilliseconds { get; init; }

    /// <summary>Share of the time that an execution slot was busy.</summary>
    public double DeviceUse { get; init; }

    /// <summary>Resident memory of all workers.</summary>
    public long WorkerMemoryBytes { get; init; }

    /// <summary>Memory of the device; null where nothing tells.</summary>
    public long? DeviceMemoryBytes { get; init; }

    /// <summary>CPU of frontend and workers, in cores.</summary>
    public double ServerCores { get; init; }

    /// <summary>CPU of the load, in cores.</summary>
    public double ClientCores { get; init; }

    /// <summary>Requests that were refused or failed.</summary>
    public long Errors { get; init; }

    /// <summary>What the first of them was told.</summary>
    public string? FirstError { get; init; }

    /// <summary>What limits it, in words.</summary>
    public string? Bottleneck { get; init; }

    /// <summary>Why it could not be measured.</summary>
    public string? Failure { get; init; }

    /// <summary>In which final it was measured: only results of the same one are compared. Null: in none.</summary>
    public int? Final { get; init; }

    /// <summary>How long starting and measuring it took, of a final its share.</summary>
    public double Seconds { get; init; }
}
