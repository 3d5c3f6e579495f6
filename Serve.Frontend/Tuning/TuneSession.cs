using System.Diagnostics;
using System.Globalization;

namespace Serve.Frontend.Tuning;

/// <summary>One run of the tuner: takes what an earlier one has measured, measures the rest, keeps each result at once and says how it goes.</summary>
/// <param name="results">What was measured before, and where results are kept.</param>
/// <param name="meter">Measures.</param>
/// <param name="progress">Where a line for each measurement goes.</param>
/// <param name="cancellation">Ends it between two measurements.</param>
internal sealed class TuneSession(TuneResultsFile results, TuneMeter meter, TextWriter progress, CancellationToken cancellation)
{
    private readonly List<TuneResult> _measured = [];

    /// <summary>Everything that this run has looked at, in order; earlier runs' results that it used included.</summary>
    public IReadOnlyList<TuneResult> Measured => _measured;

    /// <summary>Measures every setting of a space by itself.</summary>
    public void RunGrid(TuneSpace space)
    {
        var left = space.Count;
        foreach (var setting in space.All())
        {
            left--;
            Measure(setting, TuneEffort.Full, () => meter.InFull(setting), result => left > 0 ? $"; about {Time(left * MeanSeconds)} left" : "");
        }
    }

    /// <summary>Searches a space.</summary>
    /// <returns>The best; null if nothing could be measured.</returns>
    public TuneResult? RunSearch(TuneSpace space, TuneRanking ranking, TuneSetting start)
    {
        TuneSearch search = null!;
        search = new TuneSearch(
            space,
            ranking,
            (setting, rival) => Measure(setting, TuneEffort.Glance, () => meter.Glance(setting, rival), _ =>
            {
                var seconds = ((search.MostSettings - search.Results.Count - 1) * MeanSeconds) + (TuneFinal.MostFinalists * TuneFinal.MostRounds * meter.LastFullTurn.TotalSeconds);
                return $"; at most {Time(seconds)} left";
            }),
            Final);
        return search.Run(start);
    }

    /// <summary>A stretch of time in words.</summary>
    public static string Time(double seconds) => seconds < 90 ? $"{seconds:0} s" : $"{seconds / 60:0} min";

    private double MeanSeconds => _measured.Average(one => one.Seconds);

    private TuneResult Measure(TuneSetting setting, TuneEffort effort, Func<TuneResult> measure, Func<TuneResult, string> timeLeft)
    {
        cancellation.ThrowIfCancellationRequested();
        if (results.Find(setting, effort) is { } known)
        {
            _measured.Add(known);
            return known;
        }

        var began = Stopwatch.GetTimestamp();
        var result = measure();
        result = result with { Seconds = Math.Round(Stopwatch.GetElapsedTime(began).TotalSeconds, 2) };
        results.Add(result);
        _measured.Add(result);
        progress.WriteLine(Describe(result) + timeLeft(result));
        return result;
    }

    // Its turns are of the same minutes, so one that was interrupted begins anew.
    private IReadOnlyList<TuneResult> Final(IReadOnlyList<TuneResult> finalists)
    {
        cancellation.ThrowIfCancellationRequested();
        if (results.FindFinal([.. finalists.Select(finalist => finalist.Setting)]) is { } known)
        {
            _measured.AddRange(known);
            return known;
        }

        progress.WriteLine($"Final of {finalists.Count}: {string.Join("; ", finalists.Select(finalist => TuneTexts.Describe(finalist.Setting)))}");
        var (began, number) = (Stopwatch.GetTimestamp(), results.NextFinal);
        var final = new TuneFinal(meter).Run(finalists, (round, contenders, turnsLeft) =>
            progress.WriteLine($"Round {round}, {contenders} settings; at most {Time(turnsLeft * meter.LastFullTurn.TotalSeconds)} left"));
        var share = Math.Round(Stopwatch.GetElapsedTime(began).TotalSeconds / final.Count, 2);
        final = [.. final.Select(result => result with { Final = number, Seconds = share })];
        results.Add(final);
        _measured.AddRange(final);
        foreach (var result in final) progress.WriteLine(Describe(result));
        return final;
    }

    private static string Describe(TuneResult result) => string.Create(CultureInfo.InvariantCulture,
        $"{TuneTexts.Describe(result.Setting)}: {(result.Failure is { } failure ? failure.ReplaceLineEndings(" ") : $"{result.PerSecond:#,0.##}/s, p50 {result.P50Milliseconds:0.#} ms, p99 {result.P99Milliseconds:0.#} ms ({result.Clients} clients){(result.Errors > 0 ? $", {TuneTexts.Errors(result)}" : "")}")}");
}
