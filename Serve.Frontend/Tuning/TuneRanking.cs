namespace Serve.Frontend.Tuning;

/// <summary>Which of two results is better: throughput among those within the bound, the shorter 99th percentile among the others.</summary>
/// <param name="BoundMilliseconds">The most that the 99th percentile may be; null: anything.</param>
internal sealed record TuneRanking(double? BoundMilliseconds)
{
    // Differences below this are noise: the cheaper setting wins.
    private const double Noise = 0.02;

    /// <summary>Whether a result may be chosen: under a setting that serves the others the faster, no request may fail.</summary>
    public bool IsWithin(TuneResult result) => result.Failure is null && result.PerSecond > 0 && result.Errors == 0 && (BoundMilliseconds is not { } bound || result.P99Milliseconds <= bound);

    /// <summary>Whether a result is better than another by more than noise.</summary>
    public bool IsBetter(TuneResult one, TuneResult other) => IsBetter(one, other, Noise);

    /// <summary>The best one: among those that noise cannot tell apart, the cheapest. Measured in full goes before a glance at the same setting.</summary>
    public TuneResult? Best(IEnumerable<TuneResult> results)
    {
        var latest = results.Where(result => result.Failure is null).GroupBy(result => result.Setting).Select(group => group.MaxBy(result => result.Effort)!).ToList();
        if (latest.Count == 0) return null;

        // Where some were measured in full, only those decide.
        if (latest.Any(result => result.Effort == TuneEffort.Full && IsWithin(result))) latest.RemoveAll(result => result.Effort != TuneEffort.Full);
        var top = latest.Aggregate((best, result) => IsBetter(result, best, 0) ? result : best);
        return latest.Where(result => !IsBetter(top, result)).MinBy(result => result.Setting.Cost);
    }

    /// <summary>Whether a result is better than another by more than a part of it.</summary>
    public bool IsBetter(TuneResult one, TuneResult other, double margin)
    {
        if (IsWithin(one) != IsWithin(other)) return IsWithin(one);
        if (IsWithin(one)) return one.PerSecond > other.PerSecond * (1 + margin);
        if (one.Failure is not null || other.Failure is not null) return one.Failure is null && other.Failure is not null;
        if ((one.Errors == 0) != (other.Errors == 0)) return one.Errors == 0;
        return one.P99Milliseconds < other.P99Milliseconds * (1 - margin);
    }
}
