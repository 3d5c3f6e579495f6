using System.Globalization;
using System.Text;

namespace Serve.LoadGenerator.Reporting;

/// <summary>A report as a table for spreadsheets: one line a load, RFC 4180.</summary>
public static class BenchCsv
{
    /// <summary>Writes the report.</summary>
    public static string Write(BenchReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var stages = report.Points.SelectMany(point => point.Server?.StageMilliseconds.Keys ?? []).Distinct().ToList();
        var text = new StringBuilder();
        Line(text, [
            report.Load, "answers_per_second", "good_per_second", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "answers", "errors", "error_kinds",
            "stable", "client_cores", "client_is_the_limit", "mean_batch", "device_busy", "frontend_cores", "worker_memory_bytes", .. stages.Select(stage => $"{stage}_ms"),
        ]);
        foreach (var point in report.Points)
        {
            var server = point.Server;
            Line(text, [
                Number(point.Load), Number(point.PerSecond), Number(point.GoodPerSecond), Number(point.MeanMilliseconds), Number(point.P50Milliseconds), Number(point.P90Milliseconds),
                Number(point.P95Milliseconds), Number(point.P99Milliseconds), Number(point.MaxMilliseconds), Number(point.Answers), Number(point.Errors.Values.Sum()),
                string.Join("; ", point.Errors.Select(error => $"{error.Key}: {error.Value}")), point.IsStable ? "yes" : "no", Number(point.ClientCores), point.IsClientTheLimit ? "yes" : "no",
                Number(server?.MeanBatch), Number(server?.DeviceBusy), Number(server?.FrontendCores), Number(server?.WorkerMemoryBytes),
                .. stages.Select(stage => server is not null && server.StageMilliseconds.TryGetValue(stage, out var time) ? Number(time) : ""),
            ]);
        }

        return text.ToString();
    }

    private static void Line(StringBuilder text, IEnumerable<string> cells) => text.AppendJoin(',', cells.Select(Quoted)).Append("\r\n");

    private static string Quoted(string cell) => cell.AsSpan().ContainsAny(",\"\r\n") ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : cell;

    private static string Number(double? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";
}
