namespace Serve.Benchmarks.Reporting;

/// <summary>One measured quantity: a value for each round, judged by their median.</summary>
/// <param name="Scenario">The scenario's name, as <c>--only</c> has it.</param>
/// <param name="Name">What was measured.</param>
/// <param name="Unit">Of the values.</param>
/// <param name="Bar">What the median must reach.</param>
/// <param name="Rounds">The values, in the order of the rounds.</param>
internal sealed record Figure(string Scenario, string Name, string Unit, Bar Bar, IReadOnlyList<double> Rounds)
{
    public double Median { get; } = MedianOf(Rounds);

    public double Min => Rounds.Min();

    public double Max => Rounds.Max();

    /// <summary>Whether the bar holds; null without a bar.</summary>
    public bool? Holds => Bar.Holds(Median);

    /// <summary>The middle value; of an even number, the mean of the two in the middle.</summary>
    public static double MedianOf(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
