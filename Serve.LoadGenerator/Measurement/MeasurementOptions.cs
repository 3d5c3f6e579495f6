namespace Serve.LoadGenerator.Measurement;

/// <summary>How long a load is measured.</summary>
public sealed record MeasurementOptions
{
    /// <summary>How long the load runs before anything counts.</summary>
    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Length of a window.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The most windows: then the last three count, stable or not.</summary>
    public int MostWindows { get; init; } = 10;

    /// <summary>How far windows may differ to be stable: 0.1 is 10 %.</summary>
    public double Tolerance { get; init; } = 0.1;

    /// <summary>Measure exactly this long, in one window, instead of until windows are stable.</summary>
    public TimeSpan? Duration { get; init; }
}
