namespace Serve.Core.Configuration;

/// <summary>When a model's workers become more or fewer between <c>minWorkers</c> and <c>maxWorkers</c>.</summary>
public sealed record AutoscaleConfiguration
{
    /// <summary>Share of the capacity that should be left: with less there are more workers. 0 to 0.9.</summary>
    public double Headroom { get; init; } = 0.2;

    /// <summary>How long a request may have to wait, as predicted: with more there are more workers. Null: half of <c>latencyTarget</c>, and without one only headroom counts.</summary>
    public TimeSpan? QueueWait { get; init; }

    /// <summary>How long there must be too little before a worker is added.</summary>
    public TimeSpan UpAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one worker must have been too many before it goes.</summary>
    public TimeSpan DownAfter { get; init; } = TimeSpan.FromSeconds(60);
}
