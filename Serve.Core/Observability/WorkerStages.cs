namespace Serve.Core.Observability;

/// <summary>
/// What the stages of a worker did within some time. Additive: the differences of two readings, and the sum over workers,
/// are such times too.
/// </summary>
public readonly record struct WorkerStages
{
    /// <summary>The time that passed, of each worker.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>Of it, at least one batch executed.</summary>
    public TimeSpan DeviceBusy { get; init; }

    /// <summary>Nothing executed although requests were there: all of them were being decoded, or waited to be.</summary>
    public TimeSpan DeviceStarved { get; init; }

    /// <summary>Nothing executed because there was no request.</summary>
    public TimeSpan DeviceIdle { get; init; }

    /// <summary>Time that decode threads spent decoding, of all threads together.</summary>
    public TimeSpan DecodeBusy { get; init; }

    /// <summary>Time that they had: <see cref="Elapsed"/> by the number of threads. Zero for a handler that decodes nothing.</summary>
    public TimeSpan DecodeCapacity { get; init; }

    /// <summary>Time spent on postprocessing and writing answers.</summary>
    public TimeSpan EncodeBusy { get; init; }

    /// <summary>Rows executed.</summary>
    public long Rows { get; init; }

    /// <summary>Share of the time in which the device executed, 0 to 1.</summary>
    public double DeviceUse => Share(DeviceBusy, Elapsed);

    /// <summary>Share of the time in which the device waited for rows to be decoded.</summary>
    public double StarvedShare => Share(DeviceStarved, Elapsed);

    /// <summary>Share of the time without requests.</summary>
    public double IdleShare => Share(DeviceIdle, Elapsed);

    /// <summary>Share of the decode threads' time that is used.</summary>
    public double DecodeUse => Share(DecodeBusy, DecodeCapacity);

    /// <summary>Share of one thread's time that postprocessing takes.</summary>
    public double EncodeUse => Share(EncodeBusy, Elapsed);

    /// <summary>What happened between two readings.</summary>
    /// <param name="later">The later one.</param>
    /// <param name="earlier">The earlier one.</param>
    public static WorkerStages operator -(in WorkerStages later, in WorkerStages earlier) => new()
    {
        Elapsed = later.Elapsed - earlier.Elapsed,
        DeviceBusy = later.DeviceBusy - earlier.DeviceBusy,
        DeviceStarved = later.DeviceStarved - earlier.DeviceStarved,
        DeviceIdle = later.DeviceIdle - earlier.DeviceIdle,
        DecodeBusy = later.DecodeBusy - earlier.DecodeBusy,
        DecodeCapacity = later.DecodeCapacity - earlier.DecodeCapacity,
        EncodeBusy = later.EncodeBusy - earlier.EncodeBusy,
        Rows = later.Rows - earlier.Rows,
    };

    /// <summary>What two workers did.</summary>
    /// <param name="a">One.</param>
    /// <param name="b">The other.</param>
    public static WorkerStages operator +(in WorkerStages a, in WorkerStages b) => new()
    {
        Elapsed = a.Elapsed + b.Elapsed,
        DeviceBusy = a.DeviceBusy + b.DeviceBusy,
        DeviceStarved = a.DeviceStarved + b.DeviceStarved,
        DeviceIdle = a.DeviceIdle + b.DeviceIdle,
        DecodeBusy = a.DecodeBusy + b.DecodeBusy,
        DecodeCapacity = a.DecodeCapacity + b.DecodeCapacity,
        EncodeBusy = a.EncodeBusy + b.EncodeBusy,
        Rows = a.Rows + b.Rows,
    };

    private static double Share(TimeSpan part, TimeSpan whole) => whole > TimeSpan.Zero ? Math.Clamp(part / whole, 0, 1) : 0;
}
