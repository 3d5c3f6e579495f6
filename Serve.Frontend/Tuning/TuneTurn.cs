using Serve.LoadGenerator.Measurement;

namespace Serve.Frontend.Tuning;

/// <summary>What a setting did while it was asked.</summary>
internal sealed record TuneTurn
{
    public required double PerSecond { get; init; }

    public LatencyHistogram Latency { get; init; } = new();

    public long Errors { get; init; }

    public string? FirstError { get; init; }

    public double MeanBatch { get; init; }

    public double ExecuteMilliseconds { get; init; }

    public double DecodeMilliseconds { get; init; }

    public double DeviceUse { get; init; }

    public long WorkerMemoryBytes { get; init; }

    public long? DeviceMemoryBytes { get; init; }

    public double ServerCores { get; init; }

    public double ClientCores { get; init; }

    public string? Bottleneck { get; init; }

    /// <summary>Several turns of one setting as a result: latencies of all of them, means of the rest, memory at its most.</summary>
    /// <param name="setting">The setting.</param>
    /// <param name="effort">How well it was measured.</param>
    /// <param name="clients">Who asked.</param>
    /// <param name="turns">At least one.</param>
    /// <param name="perSecond">What its throughput is taken to be.</param>
    public static TuneResult Sum(TuneSetting setting, TuneEffort effort, int clients, IReadOnlyList<TuneTurn> turns, double perSecond)
    {
        var latency = LatencyOf(turns);
        if (latency.Count == 0) return new TuneResult { Setting = setting, Effort = effort, Clients = clients, Failure = turns.Select(turn => turn.FirstError).FirstOrDefault(error => error is not null) ?? "No request was answered in time." };
        double Mean(Func<TuneTurn, double> value, int digits) => Math.Round(turns.Average(value), digits);
        return new TuneResult
        {
            Setting = setting,
            Effort = effort,
            PerSecond = Math.Round(perSecond, 2),
            P50Milliseconds = Math.Round(latency.Quantile(.5).TotalMilliseconds, 2),
            P99Milliseconds = P99(latency),
            Clients = clients,
            MeanBatch = Mean(turn => turn.MeanBatch, 2),
            ExecuteMilliseconds = Mean(turn => turn.ExecuteMilliseconds, 3),
            DecodeMilliseconds = Mean(turn => turn.DecodeMilliseconds, 3),
            DeviceUse = Mean(turn => turn.DeviceUse, 3),
            WorkerMemoryBytes = turns.Max(turn => turn.WorkerMemoryBytes),
            DeviceMemoryBytes = turns.Max(turn => turn.DeviceMemoryBytes),
            ServerCores = Mean(turn => turn.ServerCores, 2),
            ClientCores = Mean(turn => turn.ClientCores, 2),
            Errors = turns.Sum(turn => turn.Errors),
            FirstError = turns.Select(turn => turn.FirstError).FirstOrDefault(error => error is not null),
            Bottleneck = turns[^1].Bottleneck,
        };
    }

    /// <summary>The 99th percentile of all turns, in milliseconds.</summary>
    public static double P99(IReadOnlyList<TuneTurn> turns) => P99(LatencyOf(turns));

    private static double P99(LatencyHistogram latency) => Math.Round(latency.Quantile(.99).TotalMilliseconds, 2);

    private static LatencyHistogram LatencyOf(IReadOnlyList<TuneTurn> turns)
    {
        var all = new LatencyHistogram();
        foreach (var turn in turns) all.Add(turn.Latency);
        return all;
    }
}
