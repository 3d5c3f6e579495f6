using System.Diagnostics;

namespace Serve.Benchmarks.Load;

/// <summary>
/// Loads a server until it becomes no faster: until its code is compiled as well as it will be. A fixed time is too short on
/// a machine where the compiler waits for a core as well, and then the server that has more code to compile loses.
/// </summary>
internal static class WarmUp
{
    private const int TurnsWithoutGain = 4;
    private const double LeastGain = 1.02;

    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(15);

    /// <summary>Warms up.</summary>
    /// <param name="perSecondOfTurn">Loads the server for that long; answers a second.</param>
    public static void Run(Func<TimeSpan, double> perSecondOfTurn)
    {
        var began = Stopwatch.GetTimestamp();
        var (best, sinceBest) = (0.0, 0);
        while (sinceBest < TurnsWithoutGain && Stopwatch.GetElapsedTime(began) < Longest)
        {
            var now = perSecondOfTurn(Turn);
            sinceBest = now > best * LeastGain ? 0 : sinceBest + 1;
            best = Math.Max(best, now);
        }
    }
}
