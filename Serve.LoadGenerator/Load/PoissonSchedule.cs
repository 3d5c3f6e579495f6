using System.Diagnostics;

namespace Serve.LoadGenerator.Load;

/// <summary>
/// Arrivals of many clients that do not know of each other: the times between them are exponential. The same seed gives the
/// same arrivals.
/// </summary>
internal sealed class PoissonSchedule
{
    private readonly Random _random;
    private readonly double _meanTicks;
    private double _next;

    /// <param name="perSecond">The mean rate.</param>
    /// <param name="seed">Decides the arrivals.</param>
    /// <param name="start">The timestamp that the first arrival follows.</param>
    public PoissonSchedule(double perSecond, int seed, long start)
    {
        if (!(perSecond > 0) || double.IsInfinity(perSecond)) throw new ArgumentOutOfRangeException(nameof(perSecond), perSecond, "The rate must be above 0.");
        _random = new Random(seed);
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
