namespace Serve.Core.Scheduling;

/// <summary>What a batch took. Rows are decoded and encoded by themselves and at the same time: of those, the row that was answered first stands for its batch.</summary>
/// <param name="Input">Decoding that row.</param>
/// <param name="Execute">Executing the batch; 0: the worker has not told.</param>
/// <param name="Output">Encoding that row.</param>
public readonly record struct BatchTicks(long Input, long Execute, long Output)
{
    /// <summary>What both took together.</summary>
    /// <param name="one">One of them.</param>
    /// <param name="other">The other.</param>
    public static BatchTicks operator +(in BatchTicks one, in BatchTicks other) => new(one.Input + other.Input, one.Execute + other.Execute, one.Output + other.Output);
}
