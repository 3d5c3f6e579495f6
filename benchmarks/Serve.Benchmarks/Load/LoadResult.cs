using Serve.LoadGenerator.Measurement;

namespace Serve.Benchmarks.Load;

/// <summary>What one stretch of a load has seen.</summary>
/// <param name="Counted">What counts.</param>
/// <param name="After">The answers that came when it was over: for costs per request.</param>
internal sealed record LoadResult(LoadWindow Counted, LoadWindow After)
{
    private const string TooBusy = "503";

    /// <summary>All answers and errors, also those that came after the end.</summary>
    public long Answers => CountOf(Counted) + CountOf(After);

    /// <summary>Answers with another status than 200, and requests without an answer.</summary>
    public long Errors => Counted.Errors + After.Errors;

    /// <summary>Good answers per second.</summary>
    public double PerSecond => Counted.AnswersPerSecond;

    /// <summary>Good answers within the objective, a second.</summary>
    public double InTimePerSecond => Counted.GoodPerSecond;

    /// <summary>Of all: answered with 503.</summary>
    public double RefusedPercent => 100.0 * Refused / Math.Max(1, CountOf(Counted));

    /// <summary>Of all: answered too late, or with any other error.</summary>
    public double LatePercent => 100.0 * (CountOf(Counted) - Counted.WithinObjective - Refused) / Math.Max(1, CountOf(Counted));

    /// <summary>Of the good answers.</summary>
    public TimeSpan Median => Counted.Latency.Quantile(0.5);

    /// <summary>Of the same.</summary>
    public TimeSpan P99 => Counted.Latency.Quantile(0.99);

    /// <summary>Of the answers with 503; zero: there were none.</summary>
    public TimeSpan RefusalP99 => Counted.RefusalLatency.Quantile(0.99);

    private long Refused => Counted.ErrorsByKind().Where(kind => kind.Key == TooBusy).Sum(kind => kind.Value);

    private static long CountOf(LoadWindow window) => window.Answers + window.Errors;
}
