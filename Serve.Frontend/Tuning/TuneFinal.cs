namespace Serve.Frontend.Tuning;

/// <summary>
/// The best few settings, measured in turns: A, B, C, C, B, A, A … A machine that becomes slower is slower for all of them, so
/// they are compared by their ratios within each round. Those that are behind in every round leave early; the others get more
/// rounds.
/// </summary>
/// <param name="meter">Measures a turn.</param>
internal sealed class TuneFinal(TuneMeter meter)
{
    /// <summary>The most settings that take part.</summary>
    public const int MostFinalists = 3;

    /// <summary>The most rounds.</summary>
    public const int MostRounds = 4;

    private const int FewestRounds = 3;
    private const int MostRestarts = 4;

    // In the median, and behind in every round.
    private const double FarBehind = 0.05;
    private const string NoAnswer = "No request was answered in time.";

    /// <summary>Measures them.</summary>
    /// <param name="finalists">Results of glances.</param>
    /// <param name="progress">Told before each round: its number from 1, who takes part, and turns left at the most.</param>
    /// <returns>A result for each, comparable with each other.</returns>
    public IReadOnlyList<TuneResult> Run(IReadOnlyList<TuneResult> finalists, Action<int, int, int>? progress = null)
    {
        var all = finalists.Select(finalist => new Contender(finalist)).ToList();
        var (isTogether, left) = LoadTogether(all);
        var mostRounds = isTogether && all.Count > 1 ? MostRounds : FewestRounds;
        var restarts = 0;
        for (var round = 0; round < mostRounds && left.Count > 0; round++)
        {
            progress?.Invoke(round + 1, left.Count, left.Count * (mostRounds - round));
            foreach (var contender in round % 2 == 0 ? left : Enumerable.Reverse(left).ToList()) TakeTurn(contender, isTogether);
            left.RemoveAll(contender => contender.Failure is not null);
            if (left.Any(contender => contender.NeedsFewerClients) && restarts++ < MostRestarts)
            {
                // With other clients it is another measurement: all begin anew, for only turns of one round are compared.
                left = all.FindAll(contender => contender.Failure is null);
                foreach (var contender in left) contender.Restart();
                round = -1;
                continue;
            }

            if (round + 1 >= FewestRounds) DropThoseBehind(left);
            if (left.Count == 1 && round + 1 >= FewestRounds) break;
        }

        return Results(all, left);
    }

    /// <summary>The middle one, or the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    // All at once where there is memory; else one after the other, again in each round.
    private (bool IsTogether, List<Contender> Left) LoadTogether(List<Contender> all)
    {
        var settings = all.ConvertAll(contender => contender.Setting);
        var isTogether = meter.Machine.HasRoomFor(settings) && settings.TrueForAll(setting => meter.Machine.Load(setting, settings) is null);
        if (isTogether)
        {
            // What was loaded just now is slow at first.
            foreach (var contender in all) Prepare(contender);
        }

        return (isTogether, all.FindAll(contender => contender.Failure is null));
    }

    private void Prepare(Contender contender)
    {
        contender.Load = meter.Rough(contender.Setting, contender.Load.Clients);
        if (contender.Load.PerSecond == 0) contender.Failure = contender.Load.Error ?? NoAnswer;
    }

    private void TakeTurn(Contender contender, bool isTogether)
    {
        if (!isTogether)
        {
            if (meter.Machine.Load(contender.Setting, []) is { } failure)
            {
                contender.Failure = failure;
                return;
            }

            Prepare(contender);
            if (contender.Failure is not null) return;
        }

        var turn = meter.FullTurn(contender.Setting, contender.Load);
        contender.Turns.Add(turn);
        if (turn.PerSecond == 0) contender.Failure = turn.FirstError ?? NoAnswer;
        else if (meter.FewerClients(contender.Load.Clients, contender.Turns) is { } fewer) contender.Retry(fewer);
    }

    private static void DropThoseBehind(List<Contender> left)
    {
        if (left.Count < 2) return;
        var levels = Levels(left);
        var leader = left.MaxBy(contender => contender.Score(levels))!;
        left.RemoveAll(contender => contender != leader
            && contender.Score(levels) < (1 - FarBehind) * leader.Score(levels)
            && contender.Turns.Zip(leader.Turns).All(turns => turns.First.PerSecond < turns.Second.PerSecond));
    }

    // How fast the machine was in each round: the geometric mean of those who took part in all of them.
    private static double[] Levels(List<Contender> left) =>
        [.. Enumerable.Range(0, left.Min(contender => contender.Turns.Count)).Select(round => Math.Exp(left.Average(contender => Math.Log(contender.Turns[round].PerSecond))))];

    private static IReadOnlyList<TuneResult> Results(List<Contender> all, List<Contender> left)
    {
        if (left.Count == 0) return [.. all.Select(contender => TuneMeter.Failed(contender.Setting, TuneEffort.Full, contender.Failure))];
        var levels = Levels(left);
        var level = Median(levels);
        return [.. all.Select(contender => contender.Failure is { } failure
            ? TuneMeter.Failed(contender.Setting, TuneEffort.Full, failure)
            : TuneTurn.Sum(contender.Setting, TuneEffort.Full, contender.Load.Clients, contender.Turns, level * contender.Score(levels)))];
    }

    private sealed class Contender(TuneResult glance)
    {
        public TuneSetting Setting => glance.Setting;

        public TuneLoad Load { get; set; } = new(glance.Clients, glance.PerSecond, null);

        public List<TuneTurn> Turns { get; } = [];

        public string? Failure { get; set; }

        /// <summary>The bound was broken.</summary>
        public bool NeedsFewerClients { get; private set; }

        public void Retry(int clients) => (Load, NeedsFewerClients) = (Load with { Clients = clients }, true);

        public void Restart()
        {
            Turns.Clear();
            NeedsFewerClients = false;
        }

        /// <summary>Its throughput, as a part of the machine's level.</summary>
        public double Score(double[] levels) => Median(Turns.Zip(levels).Select(round => round.First.PerSecond / round.Second));
    }
}
