using Serve.Core.Models;

namespace Serve.Management.Rest;

/// <summary>A version's demand and capacity as describe answers them. Null: not measured yet.</summary>
public sealed record LoadBody
{
    public required double ArrivalsPerSecond { get; init; }

    /// <summary>Rows a second in full batches.</summary>
    public double? CapacityPerSecond { get; init; }

    /// <summary>Share of the capacity that is not asked for; negative: more arrives than can be served.</summary>
    public double? Headroom { get; init; }

    /// <summary>The mean batch as a share of <c>batchSize</c>.</summary>
    public required double BatchFill { get; init; }

    /// <summary>How long a request that arrived now would wait for its answer.</summary>
    public double? PredictedWaitMilliseconds { get; init; }

    /// <summary>What batches take, by their rows.</summary>
    public IReadOnlyList<BatchCostBody>? BatchCosts { get; init; }

    public static LoadBody From(ModelDescription version)
    {
        var load = version.Load;
        var isMeasured = version.BatchCosts.Any(cost => cost.Mean > TimeSpan.Zero);
        return new LoadBody
        {
            ArrivalsPerSecond = Math.Round(load.ArrivalsPerSecond, 2),
            CapacityPerSecond = load.CapacityPerSecond > 0 ? Math.Round(load.CapacityPerSecond, 2) : null,
            Headroom = load.Headroom is { } headroom ? Math.Round(headroom, 3) : null,
            BatchFill = Math.Round(load.BatchFill, 3),
            PredictedWaitMilliseconds = load.PredictedWait > TimeSpan.Zero ? Math.Round(load.PredictedWait.TotalMilliseconds, 3) : null,
            BatchCosts = isMeasured ? [.. version.BatchCosts.Select(BatchCostBody.From)] : null,
        };
    }
}

/// <summary>What a batch takes, in milliseconds.</summary>
public sealed record BatchCostBody(int Rows, double Mean, double P99)
{
    public static BatchCostBody From(Serve.Core.Scheduling.BatchCost cost) =>
        new(cost.Rows, Math.Round(cost.Mean.TotalMilliseconds, 3), Math.Round(cost.P99.TotalMilliseconds, 3));
}
