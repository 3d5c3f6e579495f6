namespace Serve.Frontend.Tuning;

/// <summary>What a tuning found.</summary>
internal sealed record TuneReport
{
    public required string Model { get; init; }

    public required string Data { get; init; }

    /// <summary>The bound of the 99th percentile in milliseconds.</summary>
    public double? P99BoundMilliseconds { get; init; }

    public int Processors { get; init; } = Environment.ProcessorCount;

    /// <summary>Settings of the whole grid.</summary>
    public required int GridSize { get; init; }

    public required bool IsWholeGrid { get; init; }

    public required bool WasInterrupted { get; init; }

    /// <summary>How long the measurements took, those of earlier runs that were used included.</summary>
    public required double Seconds { get; init; }

    public TuneResult? Best { get; init; }

    /// <summary>Whether the best is within the bound.</summary>
    public required bool IsBestWithinBound { get; init; }

    public required IReadOnlyList<TuneResult> Results { get; init; }
}
