using Serve.LoadGenerator.Reporting;

namespace Serve.Frontend.Tuning;

/// <summary>A tuning's results as plots: along the batch size, a line for each way to have several executions.</summary>
internal static class TunePlots
{
    private const double BytesOfMiB = 1 << 20;

    /// <summary>The plots by the name of their file.</summary>
    public static IEnumerable<(string File, SvgPlot Plot)> Of(TuneReport report)
    {
        var mark = report.P99BoundMilliseconds is { } bound ? ((double, string)?)(bound, "bound") : null;
        yield return ("throughput.svg", Plot(report, $"{report.Model}: throughput", "answers per second", result => result.PerSecond));
        yield return ("p99.svg", Plot(report, $"{report.Model}: 99th percentile", "milliseconds", result => result.P99Milliseconds) with { Mark = mark });
        yield return ("memory.svg", Plot(report, $"{report.Model}: memory of all workers", "MiB", result => result.WorkerMemoryBytes / BytesOfMiB));
        yield return ("device.svg", Plot(report, $"{report.Model}: time that the device was busy", "percent", result => 100 * result.DeviceUse));
    }

    private static SvgPlot Plot(TuneReport report, string title, string unit, Func<TuneResult, double> value) => new()
    {
        Title = title,
        XLabel = "batchSize",
        YLabel = unit,
        IsXLogarithmic = true,
        Lines =
        [
            .. report.Results.Where(result => result.Failure is null)
                .GroupBy(result => result.Setting with { BatchSize = 1 })
                .OrderBy(group => group.Key.Cost)
                .Select(group => new PlotLine(TuneTexts.Describe(group.Key, withBatch: false), [.. group.GroupBy(result => result.Setting.BatchSize).Select(same => same.MaxBy(result => result.Effort)!).OrderBy(result => result.Setting.BatchSize).Select(result => new PlotPoint(result.Setting.BatchSize, value(result)))])),
        ],
    };
}
