using System.Diagnostics;

namespace Serve.LoadGenerator.Load;

/// <summary>
/// Arrivals of many clients that do not know of each other: the times between them are exponential. The same seed gives the
/// same arrivals.
/// </summary>
internal sealed class PoissonSchedule
{
    // Far apart, so that a thread of one seed is not a thread of the next seed.
    private const int ThreadStep = 486_187_739;

    private readonly Random _random;
    private readonly double _meanTicks;
    private double _next;

    /// <param name="perSecond">The mean rate.</param>
    /// <param name="seed">Decides the arrivals, today and in every other process.</param>
    /// <param name="start">The timestamp that the first arrival follows.</param>
    /// <param name="thread">Which of several threads it is of: each has other arrivals.</param>
    public PoissonSchedule(double perSecond, int seed, long start, int thread = 0)
    {
        if (!(perSecond > 0) || double.IsInfinity(perSecond)) throw new ArgumentOutOfRangeException(nameof(perSecond), perSecond, "The rate must be above 0.");
        _random = new Random(unchecked(seed + (thread * ThreadStep)));
        _meanTicks = Stopwatch.Frequency / perSecond;
        Restart(start);
    }

    /// <summary>The timestamp of the next arrival.</summary>
    public long Next => (long)_next;

    /// <summary>Lets the next arrival follow this timestamp: nothing has arrived since the last one.</summary>
    public void Restart(long start)
    {
        _next = start;
        Advance();
    }

    /// <summary>Goes on to the arrival after it.</summary>
    public void Advance() => _next -= _meanTicks * Math.Log(1 - _random.NextDouble());
}
