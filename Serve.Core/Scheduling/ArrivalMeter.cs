namespace Serve.Core.Scheduling;

/// <summary>
/// How many rows arrive a second, of late: an exponentially weighted mean, in which what was one time constant ago counts for
/// a third. Pure: timestamps come in. Not safe from several threads.
/// </summary>
public sealed class ArrivalMeter
{
    private readonly double _ticksOfConstant;
    private readonly double _secondsOfConstant;
    private double _sum;
    private long _first;
    private long _last;
    private bool _hasBegun;

    /// <summary>Creates a meter that has seen nothing.</summary>
    /// <param name="constant">Its time constant.</param>
    /// <param name="timestampFrequency">Ticks a second of the timestamps: <see cref="TimeProvider.TimestampFrequency"/>.</param>
    public ArrivalMeter(TimeSpan constant, long timestampFrequency)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(constant, TimeSpan.Zero);
        _secondsOfConstant = constant.TotalSeconds;
        _ticksOfConstant = constant.TotalSeconds * timestampFrequency;
    }

    /// <summary>Rows have arrived. Hot path.</summary>
    /// <param name="rows">How many.</param>
    /// <param name="now">The time.</param>
    public void Add(int rows, long now)
    {
        if (!_hasBegun) (_first, _last, _hasBegun) = (now, now, true);
        _sum = _sum * Faded(now - _last) + rows;
        _last = Math.Max(_last, now);
    }

    /// <summary>Rows a second. What was before the first arrival is not taken for a pause.</summary>
    /// <param name="now">The time.</param>
    public double PerSecond(long now)
    {
        if (!_hasBegun) return 0;

        var seen = 1 - Faded(now - _first);
        return seen <= 0 ? 0 : _sum * Faded(now - _last) / (_secondsOfConstant * Math.Max(seen, 0.01));
    }

    private double Faded(long ticks) => ticks <= 0 ? 1 : Math.Exp(-ticks / _ticksOfConstant);
}
