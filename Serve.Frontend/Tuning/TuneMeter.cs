namespace Serve.Frontend.Tuning;

/// <summary>
/// Measures settings. A machine's speed drifts by more within minutes than good settings differ, so a setting is measured in
/// turns with the best so far, and its throughput is told by the ratio: what slows both cancels.
/// </summary>
/// <param name="machine">Where.</param>
/// <param name="window">The least length of a turn's window; twice as long to decide.</param>
/// <param name="bound">The most milliseconds for the 99th percentile; null: any.</param>
/// <param name="fixedClients">Always so many clients; null: enough to fill the device, or as many as the bound allows.</param>
internal sealed class TuneMeter(ITuneMachine machine, TimeSpan window, double? bound, int? fixedClients)
{
    /// <summary>The most clients of a load.</summary>
    public const int MostClients = 512;

    private const int MostTries = 4;

    // How often each client is answered in a window at the least: less, and it is chance how many batches end in it.
    private const double RoundsOfGlance = 1;
    private const double RoundsInFull = 2;
    private const double WarmUpShare = 1 / 3.0;

    // Two turns each tell most settings apart; a third one where the two disagree. One is enough for what is far behind.
    private const int TurnsOfGlance = 2;
    private const double Disagreement = 0.15;
    private const double HopelessRatio = 0.8;

    private const int WindowsInFull = 6;
    private const double ToleranceInFull = 0.07;
    private static readonly TimeSpan LongestWindow = TimeSpan.FromSeconds(20);

    /// <summary>The machine.</summary>
    public ITuneMachine Machine => machine;

    /// <summary>How long a turn was that decides, at the clients and the speed of the last measurement.</summary>
    public TimeSpan LastFullTurn { get; private set; } = 2 * window;

    /// <summary>Measures a setting shortly. One that does not start, or does not answer, is a result with its failure.</summary>
    /// <param name="setting">The setting.</param>
    /// <param name="rival">The best so far, with which it takes turns; its throughput is what the result's is told by. Null: there is none.</param>
    public TuneResult Glance(TuneSetting setting, TuneResult? rival)
    {
        var isBesideRival = rival is not null && machine.HasRoomFor([setting, rival.Setting]);
        var failure = machine.Load(setting, isBesideRival ? [rival!.Setting] : []);
        if (failure is not null && isBesideRival)
        {
            // It may have failed because of the other.
            isBesideRival = false;
            failure = machine.Load(setting, []);
        }

        if (failure is not null) return Failed(setting, TuneEffort.Glance, failure);
        isBesideRival = isBesideRival && machine.Load(rival!.Setting, [setting]) is null;
        var load = FindLoad(setting);
        if (load.PerSecond == 0) return Failed(setting, TuneEffort.Glance, load.Error);
        return isBesideRival ? InTurns(setting, load, rival!) : Alone(setting, load);
    }

    /// <summary>Measures a setting by itself until its windows agree.</summary>
    public TuneResult InFull(TuneSetting setting)
    {
        if (machine.Load(setting, []) is { } failure) return Failed(setting, TuneEffort.Full, failure);
        var load = FindLoad(setting);
        if (load.PerSecond == 0) return Failed(setting, TuneEffort.Full, load.Error);
        var clients = load.Clients;
        for (var tries = 1; ; tries++)
        {
            var stretch = Stretch(RoundsInFull, setting, clients, load.PerSecond) with { MostWindows = WindowsInFull, Tolerance = ToleranceInFull };
            var turn = machine.Run(setting, clients, stretch);
            if (tries == MostTries || FewerClients(clients, [turn]) is not { } fewer) return TuneTurn.Sum(setting, TuneEffort.Full, clients, [turn], turn.PerSecond);
            clients = fewer;
        }
    }

    /// <summary>How many clients fill a setting's device, or keep the bound, and how fast it then is, roughly. Warms it up, too.</summary>
    private TuneLoad FindLoad(TuneSetting setting)
    {
        var load = Rough(setting, fixedClients ?? Math.Clamp(2 * setting.BatchSize * setting.Instances * setting.Workers, 4, MostClients));
        for (var tries = 1; tries < MostTries && load.PerSecond > 0 && bound is not null; tries++)
        {
            var turn = machine.Run(setting, load.Clients, Stretch(RoundsOfGlance, setting, load.Clients, load.PerSecond));
            if (FewerClients(load.Clients, [turn]) is not { } fewer) break;
            load = new TuneLoad(fewer, turn.PerSecond, turn.FirstError);
        }

        return load;
    }

    /// <summary>
    /// How fast a setting is, roughly: how long windows must be is not known before, and one that is too short sees a part of a
    /// batch. Warms it up, too.
    /// </summary>
    /// <param name="setting">One that is loaded.</param>
    /// <param name="clients">Who asks.</param>
    public TuneLoad Rough(TuneSetting setting, int clients)
    {
        var turn = machine.Run(setting, clients, new TuneStretch(TimeSpan.Zero, window, (int)Math.Max(1, LongestWindow / window), EnoughAnswers: clients));
        return new TuneLoad(clients, turn.PerSecond, turn.FirstError);
    }

    /// <summary>A turn that decides.</summary>
    /// <param name="setting">One that is loaded.</param>
    /// <param name="load">Who asks, and how fast it is, roughly.</param>
    public TuneTurn FullTurn(TuneSetting setting, TuneLoad load) => machine.Run(setting, load.Clients, Stretch(RoundsInFull, setting, load.Clients, load.PerSecond));

    /// <summary>So many clients keep the bound better, since in a full server latency is in proportion to them; null: these do, or there are no fewer.</summary>
    public int? FewerClients(int clients, IReadOnlyList<TuneTurn> turns)
    {
        if (bound is not { } most || fixedClients is not null || clients == 1) return null;
        var p99 = TuneTurn.P99(turns);
        return p99 <= most ? null : Math.Max(1, Math.Min(clients - 1, (int)(clients * 0.9 * most / p99)));
    }

    /// <summary>A result of one that could not be measured.</summary>
    public static TuneResult Failed(TuneSetting setting, TuneEffort effort, string? why) =>
        new() { Setting = setting, Effort = effort, Failure = why ?? "No request was answered in time." };

    private TuneResult Alone(TuneSetting setting, TuneLoad load)
    {
        List<TuneTurn> turns = [];
        while (turns.Count < TurnsOfGlance) turns.Add(machine.Run(setting, load.Clients, Stretch(RoundsOfGlance, setting, load.Clients, load.PerSecond)));
        return TuneTurn.Sum(setting, TuneEffort.Glance, load.Clients, turns, turns.Average(turn => turn.PerSecond));
    }

    private TuneResult InTurns(TuneSetting setting, TuneLoad load, TuneResult rival)
    {
        List<TuneTurn> turns = [];
        List<double> ratios = [];
        var isEnough = false;
        while (!isEnough)
        {
            // This, the other; the other, this: what becomes slower or faster meanwhile cancels too.
            var isFirst = turns.Count % 2 == 0;
            TuneTurn Mine() => machine.Run(setting, load.Clients, Stretch(RoundsOfGlance, setting, load.Clients, load.PerSecond));
            TuneTurn Theirs() => machine.Run(rival.Setting, rival.Clients, Stretch(RoundsOfGlance, rival.Setting, rival.Clients, rival.PerSecond));
            var (first, second) = isFirst ? (Mine(), Theirs()) : (Theirs(), Mine());
            var (mine, theirs) = isFirst ? (first, second) : (second, first);
            turns.Add(mine);
            if (theirs.PerSecond > 0) ratios.Add(mine.PerSecond / theirs.PerSecond);
            isEnough = (ratios is [< HopelessRatio] && load.PerSecond < HopelessRatio * rival.PerSecond) || (turns.Count >= TurnsOfGlance && (turns.Count > TurnsOfGlance || ratios.Count < 2 || Math.Abs(ratios[0] - ratios[1]) < Disagreement));
        }

        return TuneTurn.Sum(setting, TuneEffort.Glance, load.Clients, turns, ratios.Count == 0 ? turns.Average(turn => turn.PerSecond) : rival.PerSecond * TuneFinal.Median(ratios));
    }

    private TuneStretch Stretch(double rounds, TuneSetting setting, int clients, double perSecond)
    {
        // Batches end all at once: two of each instance at the least, where clients are too few to have a second one waiting.
        var answers = rounds * Math.Max(clients, 2 * Math.Min(clients, setting.BatchSize * setting.Instances * setting.Workers));
        var least = rounds == RoundsInFull ? 2 * window : window;
        var length = perSecond > 0 ? TimeSpan.FromSeconds(Math.Clamp(answers / perSecond, least.TotalSeconds, Math.Max(least.TotalSeconds, LongestWindow.TotalSeconds))) : least;
        var stretch = new TuneStretch(WarmUpShare * length, length);
        LastFullTurn = (stretch.WarmUp + length) * (rounds == RoundsInFull ? 1 : RoundsInFull / RoundsOfGlance);
        return stretch;
    }
}

/// <summary>Who asks a setting.</summary>
/// <param name="Clients">Clients of the closed loop.</param>
/// <param name="PerSecond">Their answers per second, roughly; 0: there are none.</param>
/// <param name="Error">Why there are none, or the first of the errors.</param>
internal readonly record struct TuneLoad(int Clients, double PerSecond, string? Error);
