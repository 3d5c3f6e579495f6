using System.Globalization;
using Serve.Core.Configuration;

namespace Serve.Core.Scheduling;

/// <summary>
/// Decides when a model version has too few workers, or too many, from what its scheduler measures: headroom, because a
/// device that batches is busy long before it is full, and the wait that is predicted for a new request. A worker more must
/// show that it brings something: on a device that is full already it does not, and is taken back. Called again and again, by one thread at a time.
/// </summary>
/// <param name="settings">When.</param>
/// <param name="latencyTarget">The version's; half of it may be waited, unless the settings say.</param>
/// <param name="time">The clock.</param>
public sealed class Autoscaler(AutoscaleConfiguration settings, TimeSpan? latencyTarget, TimeProvider time)
{
    /// <summary>How long new workers serve before it is judged what they brought.</summary>
    public static readonly TimeSpan Trial = TimeSpan.FromSeconds(10);

    /// <summary>How long no more workers are tried after some brought nothing.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromMinutes(10);

    // What new workers must bring of what as many would bring on devices of their own.
    private const double LeastGain = 0.25;

    // So much more than the headroom must be left with a worker less, or it would soon come back.
    private const double Margin = 0.1;

    private readonly TimeSpan? _longestWait = settings.QueueWait ?? latencyTarget / 2;
    private long? _shortSince;
    private long? _spareSince;
    private Attempt? _trial;
    private (int Workers, long Since)? _enough;

    /// <summary>Looks at the load as it is now.</summary>
    /// <param name="load">Demand and capacity of late.</param>
    /// <param name="workers">How many there are, with those that start and those that have given up.</param>
    /// <param name="starting">How many of them do not take requests yet.</param>
    /// <param name="failed">How many of them have given up.</param>
    /// <param name="min">The fewest.</param>
    /// <param name="max">The most.</param>
    /// <returns>How many there should be; null: as many as there are.</returns>
    public AutoscaleStep? Observe(in DispatcherLoad load, int workers, int starting, int failed, int min, int max)
    {
        // Without workers nothing is measured, and somebody wanted it so; while some start, what is measured is of the past.
        // Those that have given up may never come: nothing waits for them.
        if (workers <= failed || starting > 0)
        {
            _shortSince = _spareSince = null;
            return null;
        }

        var now = time.GetTimestamp();
        var shortage = ShortageOf(load);
        if (_trial is { } trial)
        {
            if (trial.To == workers) return failed > trial.Failed ? TakeBack(trial, workers, failed, min, now) : Judge(trial, load, shortage, min, now);
            _trial = null;
        }

        if (shortage is { } reason)
        {
            _spareSince = null;
            return Lasts(ref _shortSince, settings.UpAfter, now) ? More(reason, load, workers, failed, Math.Min(max, Ceiling(max, now)), now) : null;
        }

        _shortSince = null;
        if (workers <= Math.Max(min, 1) || !IsSpare(load, workers, failed))
        {
            _spareSince = null;
            return null;
        }

        if (!Lasts(ref _spareSince, settings.DownAfter, now)) return null;
        _spareSince = null;
        return new AutoscaleStep(workers - 1, AutoscaleReason.Spare, $"one less leaves enough, and did for {Seconds(settings.DownAfter)} ({Figures(load)})");
    }

    /// <summary>The number was set by hand: what was tried with others says nothing about it, and it may be what was tried for.</summary>
    public void Forget()
    {
        _trial = null;
        _enough = null;
        _shortSince = _spareSince = null;
    }

    private AutoscaleStep? More(AutoscaleReason reason, in DispatcherLoad load, int workers, int failed, int most, long now)
    {
        if (workers >= most) return null;
        var wanted = load.Headroom is { } left ? failed + (int)Math.Min(256, Math.Ceiling((workers - failed) * (1 - left) / (1 - settings.Headroom))) : 0;
        var to = Math.Clamp(Math.Min(wanted, 2 * workers), workers + 1, most);
        _shortSince = null;
        _trial = new Attempt(workers, to, failed, workers - failed, load.CapacityPerSecond, Since: null);
        var why = reason == AutoscaleReason.Headroom
            ? string.Create(CultureInfo.InvariantCulture, $"headroom was below {settings.Headroom:0.##} for {Seconds(settings.UpAfter)}")
            : $"the predicted wait was over {_longestWait!.Value.TotalMilliseconds.ToString("0.#", CultureInfo.InvariantCulture)} ms for {Seconds(settings.UpAfter)}";
        return new AutoscaleStep(to, reason, $"{why} ({Figures(load)})");
    }

    // Some of the new ones could not be started. Those that could are judged as if they alone had been tried.
    private AutoscaleStep? TakeBack(in Attempt trial, int workers, int failed, int min, long now)
    {
        var lost = failed - trial.Failed;
        var kept = Math.Max(Math.Max(trial.From, workers - lost), min);
        _trial = kept > trial.From ? trial with { To = kept, Failed = failed - (workers - kept) } : null;
        return NoGain(kept, workers, now, $"{lost} of {trial.To - trial.From} that were tried could not be started");
    }

    private AutoscaleStep? Judge(in Attempt trial, in DispatcherLoad load, AutoscaleReason? shortage, int min, long now)
    {
        if (trial.Since is not { } since)
        {
            _trial = trial with { Since = now };
            return null;
        }

        if (time.GetElapsedTime(since, now) < Trial) return null;
        _trial = null;

        // With little to do batches are small, and nothing is learnt of the whole capacity.
        if (shortage is null || trial.Capacity <= 0) return null;
        var least = trial.Capacity * (1 + LeastGain * (trial.To - trial.From) / trial.Serving);
        if (load.CapacityPerSecond >= least) return null;
        return NoGain(Math.Max(trial.From, min), trial.To, now, string.Create(CultureInfo.InvariantCulture,
            $"{trial.To} workers do {load.CapacityPerSecond:0.#} rows/s where {trial.From} did {trial.Capacity:0.#}: the device is full"));
    }

    private AutoscaleStep? NoGain(int kept, int workers, long now, string why)
    {
        _enough = (kept, now);
        return kept < workers ? new AutoscaleStep(kept, AutoscaleReason.NoGain, why) : null;
    }

    private AutoscaleReason? ShortageOf(in DispatcherLoad load)
    {
        if (load.Headroom < settings.Headroom) return AutoscaleReason.Headroom;
        return load.PredictedWait > _longestWait ? AutoscaleReason.QueueWait : null;
    }

    // One that has given up goes first, and is not missed.
    private bool IsSpare(in DispatcherLoad load, int workers, int failed) =>
        load.Headroom is { } left ? (failed > 0 ? left : 1 - (1 - left) * workers / (workers - 1)) >= Math.Min(settings.Headroom + Margin, 0.95) : load.ArrivalsPerSecond <= 0;

    private int Ceiling(int max, long now)
    {
        if (_enough is not { } enough) return max;
        if (time.GetElapsedTime(enough.Since, now) < Rest) return enough.Workers;
        _enough = null;
        return max;
    }

    private bool Lasts(ref long? since, TimeSpan limit, long now)
    {
        since ??= now;
        return time.GetElapsedTime(since.Value, now) >= limit;
    }

    private static string Figures(in DispatcherLoad load) => string.Create(CultureInfo.InvariantCulture,
        $"{load.ArrivalsPerSecond:0.#} rows/s arrive, {load.CapacityPerSecond:0.#} can be served, predicted wait {load.PredictedWait.TotalMilliseconds:0.#} ms");

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture) + " s";

    /// <summary>More workers are tried.</summary>
    /// <param name="From">How many there were.</param>
    /// <param name="To">How many there are to be.</param>
    /// <param name="Failed">How many have given up that nobody expects to come.</param>
    /// <param name="Serving">How many took requests before.</param>
    /// <param name="Capacity">What those did.</param>
    /// <param name="Since">Since when all take requests; null: they do not yet.</param>
    private readonly record struct Attempt(int From, int To, int Failed, int Serving, double Capacity, long? Since);
}

/// <summary>A change of the number of workers.</summary>
/// <param name="Workers">How many there should be.</param>
/// <param name="Reason">Why, for the metrics.</param>
/// <param name="Why">Why, in words and figures.</param>
public readonly record struct AutoscaleStep(int Workers, AutoscaleReason Reason, string Why);

/// <summary>Why the number of workers was changed; the metric's label is its name in snake case.</summary>
public enum AutoscaleReason
{
    /// <summary>Too little of the capacity was left.</summary>
    Headroom,

    /// <summary>Requests would wait too long.</summary>
    QueueWait,

    /// <summary>One less is enough.</summary>
    Spare,

    /// <summary>More brought nothing.</summary>
    NoGain,
}
