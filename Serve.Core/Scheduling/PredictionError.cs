namespace Serve.Core.Scheduling;

/// <summary>
/// By how much answers come later than was predicted: the margin that 199 of 200 keep, followed by small steps. What a cost
/// model of the device does not know shows here: decoding that holds everything up, other processes on the machine, batches
/// that take longer than on average, the way back.
/// </summary>
/// <remarks>
/// It also halves with time: a margin so large that everybody is refused would otherwise stay, since nobody would be left to
/// show that it is too large.
/// </remarks>
/// <param name="halfLife">In ticks.</param>
internal sealed class PredictionError(long halfLife)
{
    /// <summary>Answers within the margin for each beyond it.</summary>
    private const double KeptForEachBroken = 199;

    private double _margin;
    private long _updated;

    /// <summary>What to add to a prediction; never negative.</summary>
    /// <param name="now">The time.</param>
    public long MarginAt(long now) => (long)Faded(now);

    /// <summary>An answer came. How much too late does not matter, so a worker that stood still once does not decide for long.</summary>
    /// <param name="ticks">How much later than predicted; negative: earlier.</param>
    /// <param name="ticksOfRow">The time of a full batch over its rows: half of it is a step.</param>
    /// <param name="now">The time.</param>
    public void Learn(long ticks, double ticksOfRow, long now)
    {
        (_margin, _updated) = (Faded(now), now);
        if (ticks > _margin) _margin += ticksOfRow / 2;
        else _margin = Math.Max(0, _margin - ticksOfRow / 2 / KeptForEachBroken);
    }

    private double Faded(long now) => _margin < 1 ? 0 : _margin * Math.Pow(0.5, Math.Max(0, now - _updated) / (double)halfLife);
}
