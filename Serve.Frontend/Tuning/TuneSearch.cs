namespace Serve.Frontend.Tuning;

/// <summary>
/// Finds the best setting without measuring all of them: from where the model is now it climbs along one dimension after the
/// other with short measurements (throughput rises and falls once along each of them, but for noise), until a whole round
/// changes nothing; then those of the best few that a glance cannot tell apart are measured well, in turns, and the best of
/// those is chosen.
/// </summary>
/// <remarks>
/// What cannot win is not measured: larger batches when those of the current size stay half empty under full load, or take
/// longer than the bound by themselves; decode threads when decoding takes next to nothing.
/// </remarks>
/// <param name="space">What there is to choose from.</param>
/// <param name="ranking">Which result is better.</param>
/// <param name="glance">Measures a setting shortly, beside the best so far (null: there is none).</param>
/// <param name="final">Measures the best few well: a result for each.</param>
internal sealed class TuneSearch(TuneSpace space, TuneRanking ranking, Func<TuneSetting, TuneResult?, TuneResult> glance, Func<IReadOnlyList<TuneResult>, IReadOnlyList<TuneResult>> final)
{
    private const int MostRounds = 3;
    private const int FewestMeasurements = 8;

    // How many steps that are not better a climb goes on: noise shall not end it.
    private const int Patience = 1;
    private const double FilledShare = 0.5;

    // How far a glance can be from the truth: what is worse by more is no finalist.
    private const double GlanceError = 0.1;
    private const double NegligibleDecoding = 0.03;

    private readonly List<TuneResult> _results = [];
    private readonly HashSet<TuneSetting> _seen = [];

    /// <summary>Everything that was measured, in order.</summary>
    public IReadOnlyList<TuneResult> Results => _results;

    /// <summary>The most settings that it looks at: under a third of all, with those that are measured twice; more of a small space.</summary>
    public int MostSettings => Math.Min(space.Count, Math.Max(FewestMeasurements, (space.Count / 3) - TuneFinal.MostFinalists));

    /// <summary>Runs the search.</summary>
    /// <param name="start">Where it begins.</param>
    /// <returns>The best; null if nothing could be measured.</returns>
    public TuneResult? Run(TuneSetting start)
    {
        var best = Look(space.Nearest(start))!;
        for (var round = 0; round < MostRounds; round++)
        {
            var before = best;
            foreach (var dimension in Enum.GetValues<TuneDimension>()) best = Climb(dimension, best);
            if (best == before) break;
        }

        var finalists = FinalistsOf();
        if (finalists.Count == 0) return null;
        var decisive = final(finalists);
        _results.AddRange(decisive);
        return ranking.Best(decisive) ?? ranking.Best(_results);
    }

    private TuneResult Climb(TuneDimension dimension, TuneResult best)
    {
        if (!space.Values.TryGetValue(dimension, out var values) || values.Count < 2 || IsPointless(dimension, best)) return best;
        var up = Walk(dimension, values, best, step: 1);

        // Better upwards: downwards was worse before.
        return up != best ? up : Walk(dimension, values, best, step: -1);
    }

    private TuneResult Walk(TuneDimension dimension, IReadOnlyList<int> values, TuneResult best, int step)
    {
        var misses = 0;
        var at = best;
        for (var i = IndexOf(values, best.Setting.Get(dimension)) + step; i >= 0 && i < values.Count && misses <= Patience; i += step)
        {
            if (step > 0 && dimension == TuneDimension.BatchSize && CannotGrow(at)) break;
            if (Look(best.Setting.With(dimension, values[i])) is not { } result) break;
            at = result;
            if (ranking.IsBetter(result, best)) (best, misses) = (result, 0);
            else misses++;
        }

        return best;
    }

    // Null when enough has been looked at.
    private TuneResult? Look(TuneSetting setting)
    {
        if (_results.Find(result => result.Setting == setting) is { } known) return known;
        if (_seen.Count >= MostSettings) return null;
        _seen.Add(setting);
        var result = glance(setting, ranking.Best(_results));
        _results.Add(result);
        return result;
    }

    private bool CannotGrow(TuneResult result) =>
        (result.MeanBatch > 0 && result.MeanBatch < FilledShare * result.Setting.BatchSize)
        || (ranking.BoundMilliseconds is { } bound && result.ExecuteMilliseconds > bound);

    private static bool IsPointless(TuneDimension dimension, TuneResult best) =>
        dimension == TuneDimension.DecodeThreads && best.ExecuteMilliseconds > 0 && best.DecodeMilliseconds < NegligibleDecoding * best.ExecuteMilliseconds;

    private List<TuneResult> FinalistsOf()
    {
        var left = _results.Where(result => result.Failure is null).ToList();
        if (ranking.Best(left) is { } best) left.RemoveAll(result => ranking.IsBetter(best, result, GlanceError));
        var chosen = new List<TuneResult>();
        while (chosen.Count < TuneFinal.MostFinalists && left.Count > 0)
        {
            var next = chosen.Count == 0 ? ranking.Best(left)! : left.Aggregate((best, result) => ranking.IsBetter(result, best) ? result : best);
            chosen.Add(next);
            left.Remove(next);
        }

        return chosen;
    }

    private static int IndexOf(IReadOnlyList<int> values, int value)
    {
        for (var i = 0; i < values.Count; i++)
        {
            if (values[i] == value) return i;
        }

        throw new InvalidOperationException($"{value} is not in the space.");
    }
}
