using Serve.Frontend.Tuning;

namespace Serve.Tests.Frontend.Tuning;

/// <summary>A machine whose settings do what a formula says, whose speed drifts with its own clock, and whose measurements are noisy.</summary>
/// <param name="turn">What a setting does with so many clients at full speed.</param>
internal sealed class SimulatedMachine(Func<TuneSetting, int, TuneTurn> turn) : ITuneMachine
{
    private static readonly TimeSpan LoadTime = TimeSpan.FromSeconds(2);

    private readonly HashSet<TuneSetting> _loaded = [];

    /// <summary>Time that has passed on it.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>Its speed at a time; 1 is full speed.</summary>
    public Func<TimeSpan, double> Speed { get; init; } = _ => 1;

    /// <summary>How far a measurement of a second can be off; longer ones are off by less.</summary>
    public double Noise { get; init; }

    public Random Random { get; init; } = new(1);

    /// <summary>How many settings fit.</summary>
    public int Room { get; init; } = int.MaxValue;

    /// <summary>Settings that fail when another is loaded.</summary>
    public Predicate<TuneSetting> FailsBesideOthers { get; init; } = _ => false;

    /// <summary>What was asked, in order.</summary>
    public List<TuneSetting> Asked { get; } = [];

    /// <summary>The most that were loaded at once.</summary>
    public int MostLoaded { get; private set; }

    public bool HasRoomFor(IReadOnlyCollection<TuneSetting> settings) => settings.Count <= Room;

    public string? Load(TuneSetting setting, IReadOnlyCollection<TuneSetting> beside)
    {
        _loaded.RemoveWhere(loaded => loaded != setting && !beside.Contains(loaded));
        if (_loaded.Contains(setting)) return null;
        Now += LoadTime;
        if (_loaded.Count > 0 && FailsBesideOthers(setting)) return "no memory";
        _loaded.Add(setting);
        MostLoaded = Math.Max(MostLoaded, _loaded.Count);
        return null;
    }

    public TuneTurn Run(TuneSetting setting, int clients, TuneStretch stretch)
    {
        Assert.Contains(setting, _loaded);
        Asked.Add(setting);
        var result = turn(setting, clients);
        Now += stretch.WarmUp;
        var windows = stretch.EnoughAnswers > 0 ? Math.Min(stretch.MostWindows, Math.Ceiling(stretch.EnoughAnswers / Math.Max(1, result.PerSecond) / stretch.Window.TotalSeconds)) : Math.Min(stretch.MostWindows, Noise > stretch.Tolerance / 2 ? stretch.MostWindows : 3); // until they agree
        var length = stretch.Window * windows;
        var speed = Speed(Now + (length / 2)) * (1 + ((Random.NextDouble() - .5) * 2 * Noise / Math.Sqrt(Math.Max(1, length.TotalSeconds))));
        Now += length;
        return result with { PerSecond = result.PerSecond * speed };
    }

    /// <summary>A turn with so many answers, all with the same latency.</summary>
    public static TuneTurn Turn(TuneSetting setting, double perSecond, double p99Milliseconds = 20)
    {
        var turn = new TuneTurn { PerSecond = perSecond, MeanBatch = setting.BatchSize, ExecuteMilliseconds = 10 + (.2 * setting.BatchSize), DecodeMilliseconds = .5, FirstError = perSecond > 0 ? null : "500: it is broken" };
        if (perSecond > 0) turn.Latency.Record(TimeSpan.FromMilliseconds(p99Milliseconds));
        return turn;
    }
}
