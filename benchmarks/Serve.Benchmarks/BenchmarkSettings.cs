namespace Serve.Benchmarks;

/// <summary>What a run measures, and how long.</summary>
/// <param name="Scenarios">Names of the scenarios.</param>
/// <param name="Rounds">Rounds of each scenario; each measures everything that is compared once.</param>
/// <param name="Seconds">How long one measurement of a round lasts.</param>
/// <param name="RestSeconds">How long it rests before each round: on a machine that others use, they get their turn.</param>
/// <param name="FastPath">The server's <c>fastPath</c>; the bare server schedules likewise.</param>
internal sealed record BenchmarkSettings(IReadOnlyList<string> Scenarios, int Rounds, double Seconds, double RestSeconds, string FastPath)
{
    /// <summary>How long one measurement of a round lasts.</summary>
    public TimeSpan Duration => TimeSpan.FromSeconds(Seconds);

    /// <summary>The rounds, by their numbers, each after its rest.</summary>
    public IEnumerable<int> EachRound()
    {
        for (var round = 0; round < Rounds; round++)
        {
            if (RestSeconds > 0) Thread.Sleep(TimeSpan.FromSeconds(RestSeconds));
            yield return round;
        }
    }
}
