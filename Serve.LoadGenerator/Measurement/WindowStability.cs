namespace Serve.LoadGenerator.Measurement;

/// <summary>
/// When a load has settled, by perf_analyzer's rule: in the last three windows, throughput and latency are each within a
/// tolerance of their mean.
/// </summary>
public static class WindowStability
{
    /// <summary>How many windows must agree.</summary>
    public const int Windows = 3;

    /// <summary>Whether the load has settled.</summary>
    /// <param name="windows">All windows so far.</param>
    /// <param name="tolerance">0.1: within 10 % of the mean.</param>
    public static bool IsStable(IReadOnlyList<LoadWindow> windows, double tolerance)
    {
        ArgumentNullException.ThrowIfNull(windows);
        if (windows.Count < Windows) return false;
        var last = windows.Skip(windows.Count - Windows).ToList();
        return last.All(window => window.Answers > 0)
            && Agree(last.Select(window => window.AnswersPerSecond), tolerance)
            && Agree(last.Select(window => window.Latency.Mean.TotalSeconds), tolerance);
    }

    private static bool Agree(IEnumerable<double> values, double tolerance)
    {
        var all = values.ToList();
        var mean = all.Average();
        return all.All(value => Math.Abs(value - mean) <= tolerance * mean);
    }
}
