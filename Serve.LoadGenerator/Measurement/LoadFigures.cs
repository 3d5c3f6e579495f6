using Serve.LoadGenerator.ServerSide;

namespace Serve.LoadGenerator.Measurement;

/// <summary>What a measurement of one load says.</summary>
/// <param name="Seen">The windows that count, as one.</param>
/// <param name="Unanswered">How long the requests had been under way that had no answer at the end.</param>
/// <param name="Windows">How many windows there were.</param>
/// <param name="IsStable">Whether the last ones agreed.</param>
/// <param name="WasInterrupted">Whether somebody ended it.</param>
/// <param name="Server">What the server's own metrics say of the same time; null where it has none.</param>
/// <param name="Threads">Threads of the load.</param>
public sealed record LoadFigures(LoadWindow Seen, LatencyHistogram Unanswered, int Windows, bool IsStable, bool WasInterrupted, ServerFigures? Server, int Threads)
{
    // From there on, a longer wait for events is not to be had: the thread is hardly ever waiting.
    private const double Saturated = 0.85;

    /// <summary>CPU that this process used, in cores.</summary>
    public double ClientCores => Seen.Elapsed > TimeSpan.Zero ? Seen.Cpu / Seen.Elapsed : 0;

    /// <summary>How much of its time a thread of the load was not waiting for something to do.</summary>
    public double ThreadBusy => Seen.Elapsed > TimeSpan.Zero ? Math.Clamp(1 - (Seen.Waited / (Seen.Elapsed * Threads)), 0, 1) : 0;

    /// <summary>Whether the load's own threads are what limits it.</summary>
    public bool IsClientTheLimit => ThreadBusy > Saturated;
}
