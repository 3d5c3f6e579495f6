using System.Globalization;
using Serve.LoadGenerator.Measurement;
using Serve.LoadGenerator.Reporting;

namespace Serve.Frontend.Commands.Bench;

/// <summary>A load's figures as text.</summary>
internal static class BenchTables
{
    private const double UnevenWorkers = 0.1;

    /// <summary>Titles of the columns.</summary>
    public static string[] Headers(BenchReport report) =>
    [
        report.Load == "rate" ? "Rate" : "Clients", "Answers/s", .. report.ObjectiveMilliseconds is null ? (string[])[] : ["Within SLO/s"],
        "p50 ms", "p90 ms", "p95 ms", "p99 ms", "max ms", "Batch", "Device", "Client CPU", "Errors",
    ];

    /// <summary>One load.</summary>
    public static string[] Row(BenchReport report, BenchPoint point) =>
    [
        Number(point.Load), Number(point.PerSecond), .. report.ObjectiveMilliseconds is null ? (string[])[] : [Number(point.GoodPerSecond)],
        Number(point.P50Milliseconds), Number(point.P90Milliseconds), Number(point.P95Milliseconds), Number(point.P99Milliseconds), Number(point.MaxMilliseconds),
        point.Server is { } server ? Number(server.MeanBatch) : "", point.Server is { } busy ? DeviceBusy(busy) : "", Percent(point.ClientCores), Errors(point),
    ];

    /// <summary>A load that is being measured: its last window.</summary>
    public static string[] Row(BenchReport report, double load, IReadOnlyList<LoadWindow> windows)
    {
        var window = windows[^1];
        string Ms(double part) => Number(window.Latency.Quantile(part).TotalMilliseconds);
        return
        [
            Number(load), Number(window.AnswersPerSecond), .. report.ObjectiveMilliseconds is null ? (string[])[] : [Number(window.GoodPerSecond)],
            Ms(.5), Ms(.9), Ms(.95), Ms(.99), Number(window.Latency.Max.TotalMilliseconds), "", "", Percent(window.Cpu / window.Elapsed), $"{Number(window.Errors)} (window {windows.Count})",
        ];
    }

    /// <summary>Everything: the loads, where their time went, and what must be known about the figures.</summary>
    public static void Show(Screen screen, BenchReport report)
    {
        screen.Table(Headers(report), report.Points.Select(point => Row(report, point)));
        var stages = report.Points.SelectMany(point => point.Server?.StageMilliseconds.Keys ?? []).Distinct().ToList();
        if (stages.Count > 0)
        {
            screen.Line("");
            screen.Line("Where the time went: mean milliseconds of a request in each stage of the server.");
            screen.Table([report.Load == "rate" ? "Rate" : "Clients", .. stages], report.Points.Where(point => point.Server is not null).Select(point => (string[])
            [
                Number(point.Load), .. stages.Select(stage => point.Server!.StageMilliseconds.TryGetValue(stage, out var time) ? Number(time) : ""),
            ]));
        }

        ShowTargets(screen, report);
        foreach (var note in Notes(report)) screen.Line(note);
    }

    private static void ShowTargets(Screen screen, BenchReport report)
    {
        if (!report.Points.Any(point => point.ByTarget is not null)) return;
        screen.Line("");
        screen.Table([report.Load == "rate" ? "Rate" : "Clients", "Model", "Answers/s", "p50 ms", "p99 ms"], report.Points.SelectMany(point => (point.ByTarget ?? new Dictionary<string, BenchTarget>()).Select(target => (string[])
        [
            Number(point.Load), target.Key, Number(target.Value.PerSecond), Number(target.Value.P50Milliseconds), Number(target.Value.P99Milliseconds),
        ])));
    }

    internal static IEnumerable<string> Notes(BenchReport report)
    {
        if (report.WasInterrupted) yield return "Interrupted: the last line is incomplete.";
        foreach (var point in report.Points)
        {
            var load = $"At {report.Load} {Number(point.Load)}";
            if (point.FirstError is { } error) yield return $"{load} the first error was: {error.ReplaceLineEndings(" ")}";
            if (!point.IsStable && !report.WasInterrupted) yield return $"{load} the last windows do not agree: the figures vary (--max-windows, --window).";
            if (point.IsClientTheLimit) yield return $"{load} the load generator itself was busy {Percent(point.ClientBusy)} of the time: the server may be faster than this says (--threads, or another machine).";
            if (point.Backlog > 0) yield return $"{load} {Number(point.Backlog)} requests had arrived and waited for a connection at the end: the server does not keep up, or --connections is too small.";
            if (point.WithUnanswered is { } least && least.P99Milliseconds > point.P99Milliseconds) yield return $"{load} {Number(point.Unanswered)} requests had no answer yet at the end: counted for as long as they had waited, p99 is at least {Number(least.P99Milliseconds)} ms, max {Number(least.MaxMilliseconds)} ms.";
            if (point.SendDelayP99Milliseconds is > 5 and var delay && point.Backlog == 0) yield return $"{load} requests were sent up to {Number(delay)} ms after their scheduled arrival (p99); that is part of the latencies.";
        }

        if (report.ObjectiveMilliseconds is { } objective && report.Points.Where(point => point.P99Milliseconds <= objective && point.Errors.Count == 0).MaxBy(point => point.PerSecond) is { } best)
            yield return $"Most within {Number(objective)} ms (p99, no errors): {Number(best.PerSecond)} answers/s at {report.Load} {Number(best.Load)}.";
    }

    /// <summary>The mean of the workers, and the least and the most where they differ.</summary>
    internal static string DeviceBusy(BenchServer server) =>
        server.WorkersBusy is [var least, .., var most] && most - least > UnevenWorkers ? $"{Percent(server.DeviceBusy)} ({100 * least:0} to {100 * most:0})" : Percent(server.DeviceBusy);

    private static string Errors(BenchPoint point) => point.Errors.Count == 0 ? "0" : string.Join(", ", point.Errors.Select(error => $"{error.Key}: {Number(error.Value)}"));

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "#,0" : Math.Abs(value) >= 100 ? "0.#" : "0.##", CultureInfo.InvariantCulture);

    private static string Percent(double part) => (100 * part).ToString("0", CultureInfo.InvariantCulture) + " %";
}
