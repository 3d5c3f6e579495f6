using System.Diagnostics;
using Serve.LoadGenerator.Load;
using Serve.LoadGenerator.ServerSide;

namespace Serve.LoadGenerator.Measurement;

/// <summary>Measures one load: warm-up, then windows until they agree.</summary>
public static class LoadMeasurement
{
    /// <summary>Runs the load and measures it. Blocks the calling thread.</summary>
    /// <param name="load">The load.</param>
    /// <param name="options">How long.</param>
    /// <param name="scrape">Reads the server's metrics now; null, or an answer of null: there are none.</param>
    /// <param name="progress">Told after each window, with all windows so far.</param>
    /// <param name="isEnough">Looks at all windows so far; true ends the measurement, settled or not.</param>
    /// <param name="cancellation">Ends it; what was seen until then is the result.</param>
    public static LoadFigures Run(
        LoadOptions load, MeasurementOptions options, Func<MetricsSample?>? scrape = null, Action<IReadOnlyList<LoadWindow>>? progress = null, Func<IReadOnlyList<LoadWindow>, bool>? isEnough = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        using var run = new LoadRun(load);
        run.Start();
        Wait(options.WarmUp, cancellation);
        var windows = new List<LoadWindow>();

        // One before each window and one after the last.
        var samples = new List<MetricsSample?> { scrape?.Invoke() };
        run.TakeWindow();
        var isStable = false;
        LatencyHistogram unanswered;
        do
        {
            Wait(options.Duration ?? options.Window, cancellation);
            windows.Add(run.TakeWindow());

            // Before the scrape, which may take long where answers do.
            unanswered = run.Unanswered();
            samples.Add(scrape?.Invoke());
            progress?.Invoke(windows);
            isStable = options.Duration is not null || (isEnough is not null && isEnough(windows)) || WindowStability.IsStable(windows, options.Tolerance);
        }
        while (!isStable && windows.Count < options.MostWindows && !cancellation.IsCancellationRequested);

        var counted = Math.Min(windows.Count, WindowStability.Windows);
        var seen = new LoadWindow(run.Options.Targets.Count);
        foreach (var window in windows.Skip(windows.Count - counted)) seen.Add(window);
        var (before, after) = (samples[^(counted + 1)], samples[^1]);
        var server = before is not null && after is not null ? ServerFigures.Between(before, after, [.. run.Options.Targets.Select(target => target.Name).Distinct()]) : null;
        return new LoadFigures(seen, unanswered, windows.Count, isStable && !cancellation.IsCancellationRequested, cancellation.IsCancellationRequested, server, run.Threads);
    }

    private static void Wait(TimeSpan time, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        var left = time;
        while (left > TimeSpan.Zero && !cancellation.WaitHandle.WaitOne(left)) left = time - Stopwatch.GetElapsedTime(start);
    }
}
