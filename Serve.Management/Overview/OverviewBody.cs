namespace Serve.Management.Overview;

/// <summary>
/// The whole server at a moment, and what it did in the last second, as <c>GET /overview</c> answers it. What is not known is
/// left out: a quantile of no requests, a device's power where its driver does not tell. Totals are of all models' requests.
/// </summary>
public sealed record OverviewBody
{
    public required DateTimeOffset Time { get; init; }

    public required double UptimeSeconds { get; init; }

    public required string Version { get; init; }

    /// <summary>Where inference is spoken over HTTP, for example <c>http://127.0.0.1:8080</c>; <c>0.0.0.0</c> and <c>[::]</c> are every address of the machine.</summary>
    public required string InferenceAddress { get; init; }

    /// <summary>Whether who asks for an inference there has to show a token.</summary>
    public bool InferenceNeedsToken { get; init; }

    /// <summary>As <c>/ping</c> says it: Healthy, Partial Healthy or Unhealthy.</summary>
    public required string Health { get; init; }

    /// <summary>What the rates, means and quantiles are of: the time before <see cref="Time"/>.</summary>
    public required double IntervalSeconds { get; init; }

    public required double RequestsPerSecond { get; init; }

    /// <summary>Answers with a status of 500 or more.</summary>
    public required double ErrorsPerSecond { get; init; }

    /// <summary>Answers with a status from 400 to 499; clients that left are among them.</summary>
    public required double ClientErrorsPerSecond { get; init; }

    public double? P50Ms { get; init; }

    public double? P90Ms { get; init; }

    public double? P99Ms { get; init; }

    /// <summary>Requests that are accepted and not answered.</summary>
    public required int InFlight { get; init; }

    /// <summary>Requests that wait.</summary>
    public required int Queue { get; init; }

    public required IReadOnlyList<OverviewDevice> Devices { get; init; }

    public required IReadOnlyList<OverviewModel> Models { get; init; }
}

/// <summary>The host's processors and memory (<c>cpu</c>), or a GPU (<c>gpu:0</c>).</summary>
public sealed record OverviewDevice
{
    public required string Device { get; init; }

    public required string Name { get; init; }

    public double? UtilizationRatio { get; init; }

    public long? MemoryUsedBytes { get; init; }

    public long? MemoryTotalBytes { get; init; }

    public double? PowerWatts { get; init; }
}

/// <summary>A model.</summary>
public sealed record OverviewModel
{
    public required string Name { get; init; }

    public required string DefaultVersion { get; init; }

    public required IReadOnlyList<OverviewVersion> Versions { get; init; }
}
