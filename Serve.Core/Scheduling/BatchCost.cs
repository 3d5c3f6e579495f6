namespace Serve.Core.Scheduling;

/// <summary>What a batch of a size takes.</summary>
/// <param name="Rows">Its rows.</param>
/// <param name="Mean">On average; zero: nothing was measured.</param>
/// <param name="P99">What 99 of 100 keep; zero: nothing was measured.</param>
public readonly record struct BatchCost(int Rows, TimeSpan Mean, TimeSpan P99);
