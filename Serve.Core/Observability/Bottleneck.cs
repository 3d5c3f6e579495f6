using System.Globalization;

namespace Serve.Core.Observability;

/// <summary>Which stage of a model's workers limits it, and what that means, in words. Describe and <c>serve tune</c> say the same.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Text">For people, on one line.</param>
public sealed record Bottleneck(BottleneckStage Stage, string Text)
{
    // Below these nothing limits, or too little to speak of.
    private const double MuchIdle = 0.3;
    private const double MuchStarved = 0.1;
    private const double FullThread = 0.85;

    /// <summary>Judges what the stages did within some time, ten seconds or so.</summary>
    /// <param name="times">Of one worker, or the sum over a model's.</param>
    /// <returns>Null before anything is known.</returns>
    public static Bottleneck? Of(in WorkerStages times)
    {
        if (times.Elapsed <= TimeSpan.Zero) return null;
        if (times.Rows == 0 && times.DecodeBusy == TimeSpan.Zero) return new Bottleneck(BottleneckStage.None, "idle: no requests");
        if (times.IdleShare >= MuchIdle && times.IdleShare > times.StarvedShare) return Idle(times);
        if (times.StarvedShare >= MuchStarved) return new Bottleneck(BottleneckStage.Decode, $"decode-bound: {Cores(times)} would feed this device, which waits for rows {Percent(times.StarvedShare)} of the time");
        if (times.EncodeUse >= FullThread && times.DeviceUse < FullThread) return new Bottleneck(BottleneckStage.Encode, $"answer-bound: postprocessing takes {Percent(times.EncodeUse)} of its thread's time");
        return Device(times);
    }

    private static Bottleneck Idle(in WorkerStages times)
    {
        var next = times.DecodeBusy > times.DeviceBusy && times.DecodeUse > times.DeviceUse
            ? $"at full load decoding would limit it: {Cores(times)} would feed this device"
            : "at full load the device would limit it";
        return new Bottleneck(BottleneckStage.None, $"idle: no requests {Percent(times.IdleShare)} of the time; {next}");
    }

    private static Bottleneck Device(in WorkerStages times)
    {
        var rest = times.DecodeCapacity > TimeSpan.Zero
            ? $"decoding has {Percent(1 - times.DecodeUse)} to spare"
            : $"it executes {Percent(times.DeviceUse)} of the time";
        return new Bottleneck(BottleneckStage.Device, $"device-bound: {rest}");
    }

    // Decoding costs DecodeBusy core-seconds for rows that the device executes in DeviceBusy seconds.
    private static string Cores(in WorkerStages times)
    {
        if (times.DeviceBusy <= TimeSpan.Zero) return "more cores";
        var cores = Math.Max(1, (int)Math.Ceiling((times.DecodeBusy / times.DeviceBusy) - 0.05));
        return cores == 1 ? "1 core" : string.Create(CultureInfo.InvariantCulture, $"{cores} cores");
    }

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0} %");
}

/// <summary>A stage that can limit a worker.</summary>
public enum BottleneckStage
{
    /// <summary>None does: there are too few requests.</summary>
    None,

    /// <summary>The device waits for rows to be decoded.</summary>
    Decode,

    /// <summary>The device executes nearly all the time.</summary>
    Device,

    /// <summary>Postprocessing has no time left.</summary>
    Encode,
}
