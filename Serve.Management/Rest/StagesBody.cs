using Serve.Core.Observability;

namespace Serve.Management.Rest;

/// <summary>What a worker's stages did within the last ten seconds, as shares of that time.</summary>
public sealed record StagesBody
{
    /// <summary>The device executed.</summary>
    public required double DeviceBusy { get; init; }

    /// <summary>The device waited for rows to be decoded.</summary>
    public required double DeviceStarved { get; init; }

    /// <summary>There were no requests.</summary>
    public required double DeviceIdle { get; init; }

    /// <summary>The decode threads decoded, as a share of their time.</summary>
    public required double DecodeBusy { get; init; }

    /// <summary>Postprocessing, as a share of one thread's time.</summary>
    public required double EncodeBusy { get; init; }

    /// <summary>Rows executed in a second.</summary>
    public required double RowsPerSecond { get; init; }

    public static StagesBody? From(in WorkerStages times) => times.Elapsed <= TimeSpan.Zero ? null : new StagesBody
    {
        DeviceBusy = Math.Round(times.DeviceUse, 3),
        DeviceStarved = Math.Round(times.StarvedShare, 3),
        DeviceIdle = Math.Round(times.IdleShare, 3),
        DecodeBusy = Math.Round(times.DecodeUse, 3),
        EncodeBusy = Math.Round(times.EncodeUse, 3),
        RowsPerSecond = Math.Round(times.Rows / times.Elapsed.TotalSeconds, 1),
    };
}
