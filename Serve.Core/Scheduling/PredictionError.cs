namespace Serve.Core.Scheduling;

/// <summary>
/// By how much answers come later than was predicted: the margin that 98 of 100 keep, followed by small steps. What a cost
/// model of the device does not know shows here: decoding that holds everything up, other processes on the machine, batches
/// that take longer than on average, the way back.
/// </summary>
internal sealed class PredictionError
{
    /// <summary>Answers within the margin for each beyond it.</summary>
    private const double KeptForEachBroken = 49;

    private double _margin;

    /// <summary>What to add to a prediction; never negative.</summary>
    public long Margin => (long)_margin;

    /// <summary>An answer came. How much too late does not matter, so a worker that stood still once does not decide for long.</summary>
    /// <param name="ticks">How much later than predicted; negative: earlier.</param>
    /// <param name="ticksOfRow">The time of a full batch over its rows: half of it is a step.</param>
    public void Learn(long ticks, double ticksOfRow)
    {
        if (ticks > _margin) _margin += ticksOfRow / 2;
        else _margin = Math.Max(0, _margin - ticksOfRow / 2 / KeptForEachBroken);
    }
}
