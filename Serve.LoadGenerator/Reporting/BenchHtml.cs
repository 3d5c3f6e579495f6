using System.Globalization;
using System.Net;
using System.Text;

namespace Serve.LoadGenerator.Reporting;

/// <summary>A report as one HTML file with its plots inside: nothing is fetched, no script runs.</summary>
public static class BenchHtml
{
    private const int MostDistributions = 6;

    private const string Style = """
        body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #ffffff }
        .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(30rem, 1fr)); gap: 1rem }
        .plots svg { width: 100%; height: auto; border: 1px solid #dddddd; border-radius: 6px }
        .wide { overflow-x: auto }
        table { border-collapse: collapse; margin: 1.5rem 0; font-variant-numeric: tabular-nums }
        th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #e5e5e5; white-space: nowrap }
        th:last-child, td:last-child { text-align: left }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem } dt { color: #666666 } dd { margin: 0 }
        """;

    /// <summary>Writes the report.</summary>
    public static string Write(BenchReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var title = $"Load on {string.Join(", ", report.Targets)}";
        var html = new StringBuilder();
        html.Append(CultureInfo.InvariantCulture, $"""
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{Escape(title)}</title>
            <style>{Style}</style></head><body>
            <h1>{Escape(title)}</h1>
            <dl><dt>when</dt><dd>{report.At:yyyy-MM-dd HH:mm 'UTC'}</dd><dt>where</dt><dd>{Escape(report.Url)}</dd><dt>sent</dt><dd>{Escape(report.Data)}</dd>
            <dt>load</dt><dd>{(report.Load == "rate" ? "open loop: arrivals by chance, latency from the scheduled arrival" : "closed loop: each client waits for its answer")}</dd>
            <dt>client</dt><dd>{report.Processors} processors</dd></dl>
            {(report.WasInterrupted ? "<p><strong>Interrupted: the last line is incomplete.</strong></p>" : "")}
            <div class="plots">

            """);
        foreach (var plot in Plots(report)) html.Append(plot.ToSvg());
        html.Append("</div>\n");
        Table(html, report);
        Stages(html, report);
        return html.Append("</body></html>\n").ToString();
    }

    private static IEnumerable<SvgPlot> Plots(BenchReport report)
    {
        var points = report.Points.Where(point => point.Answers > 0).ToList();
        var mark = report.ObjectiveMilliseconds is { } objective ? ((double, string)?)(objective, $"objective {Shown(objective)} ms") : null;
        var unit = report.Load == "rate" ? "arrivals per second" : "clients";
        yield return new SvgPlot
        {
            Title = "Latency against throughput",
            XLabel = "answers per second",
            YLabel = "milliseconds",
            IsYLogarithmic = true,
            Mark = mark,
            Lines =
            [
                new PlotLine("p50", [.. points.Select(point => new PlotPoint(point.PerSecond, point.P50Milliseconds, Shown(point.Load)))]),
                new PlotLine("p99", [.. points.Select(point => new PlotPoint(point.PerSecond, point.P99Milliseconds))]),
            ],
        };
        var throughput = new List<PlotLine> { new("answers", [.. points.Select(point => new PlotPoint(point.Load, point.PerSecond))]) };
        if (mark is not null) throughput.Add(new PlotLine("within the objective", [.. points.Select(point => new PlotPoint(point.Load, point.GoodPerSecond))]));
        yield return new SvgPlot { Title = "Throughput", XLabel = unit, YLabel = "answers per second", Lines = throughput };
        yield return new SvgPlot
        {
            Title = "Latency",
            XLabel = unit,
            YLabel = "milliseconds",
            IsYLogarithmic = true,
            Mark = mark,
            Lines = [Line("p50", point => point.P50Milliseconds), Line("p95", point => point.P95Milliseconds), Line("p99", point => point.P99Milliseconds), Line("max", point => point.MaxMilliseconds)],
        };

        // x: 1 is 90 %, 2 is 99 %, 3 is 99.9 %.
        yield return new SvgPlot
        {
            Title = "Latency by percentile",
            XLabel = "nines (1: 90 %, 2: 99 %, 3: 99.9 %)",
            YLabel = "milliseconds",
            IsYLogarithmic = true,
            Mark = mark,
            Lines = [.. points.TakeLast(MostDistributions).Select(point => new PlotLine($"{Shown(point.Load)} {unit}", [.. point.Quantiles.Where(quantile => quantile[0] < 1).Select(quantile => new PlotPoint(-Math.Log10(1 - quantile[0]), quantile[1]))]))],
        };
        if (points.Any(point => point.Server is not null))
        {
            yield return new SvgPlot { Title = "Mean batch", XLabel = unit, YLabel = "rows", Lines = [Line("", point => point.Server?.MeanBatch ?? double.NaN)] };
        }

        PlotLine Line(string name, Func<BenchPoint, double> y) => new(name, [.. points.Select(point => new PlotPoint(point.Load, y(point)))]);
    }

    private static void Table(StringBuilder html, BenchReport report)
    {
        Row(html.Append("<div class=\"wide\"><table><thead>"), "th", [report.Load, "answers/s", "good/s", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "max ms", "mean batch", "device busy", "client cores", "errors"]);
        html.Append("</thead><tbody>");
        foreach (var point in report.Points)
        {
            Row(html, "td", [
                Shown(point.Load), Shown(point.PerSecond), Shown(point.GoodPerSecond), Shown(point.P50Milliseconds), Shown(point.P90Milliseconds), Shown(point.P95Milliseconds),
                Shown(point.P99Milliseconds), Shown(point.MaxMilliseconds), Shown(point.Server?.MeanBatch), Shown(point.Server?.DeviceBusy), Shown(point.ClientCores),
                string.Join(", ", point.Errors.Select(error => $"{error.Key}: {error.Value}")) + (point.IsStable ? "" : " (not stable)") + (point.IsClientTheLimit ? " (the client is the limit)" : ""),
            ]);
        }

        html.Append("</tbody></table></div>\n");
    }

    private static void Stages(StringBuilder html, BenchReport report)
    {
        var stages = report.Points.SelectMany(point => point.Server?.StageMilliseconds.Keys ?? []).Distinct().ToList();
        if (stages.Count == 0) return;
        html.Append("<h2>Where the time went</h2><p>Mean milliseconds of a request in each stage of the server.</p><div class=\"wide\"><table><thead>");
        Row(html, "th", [report.Load, .. stages]);
        html.Append("</thead><tbody>");
        foreach (var point in report.Points)
        {
            Row(html, "td", [Shown(point.Load), .. stages.Select(stage => point.Server is { } server && server.StageMilliseconds.TryGetValue(stage, out var time) ? Shown(time) : "")]);
        }

        html.Append("</tbody></table></div>\n");
    }

    private static void Row(StringBuilder html, string cell, IEnumerable<string> values)
    {
        html.Append("<tr>");
        foreach (var value in values) html.Append(CultureInfo.InvariantCulture, $"<{cell}>{Escape(value)}</{cell}>");
        html.Append("</tr>\n");
    }

    private static string Shown(double? value) => value is not { } number ? "" : number.ToString(Math.Abs(number) >= 100 ? "#,0" : "0.##", CultureInfo.InvariantCulture);

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
