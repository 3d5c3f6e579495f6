namespace Serve.Core.Scheduling;

/// <summary>Demand and capacity of a model version, of late.</summary>
/// <param name="ArrivalsPerSecond">Rows that arrive a second, refused ones included.</param>
/// <param name="CapacityPerSecond">Rows that its workers can execute a second in full batches; 0: not measured, or no workers.</param>
/// <param name="BatchFill">The mean batch as a share of the largest.</param>
/// <param name="PredictedWait">How long a request that arrived now would wait for its answer; zero: not measured.</param>
public readonly record struct DispatcherLoad(double ArrivalsPerSecond, double CapacityPerSecond, double BatchFill, TimeSpan PredictedWait)
{
    /// <summary>
    /// What of the capacity is not asked for: 1 − arrivals × T(M) ÷ M ÷ device slots. Negative: more arrives than can be served.
    /// Null: not measured.
    /// </summary>
    public double? Headroom => CapacityPerSecond > 0 ? 1 - ArrivalsPerSecond / CapacityPerSecond : null;
}
