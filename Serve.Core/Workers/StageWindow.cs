using Serve.Core.Observability;
using Serve.Core.Protocol;

namespace Serve.Core.Workers;

/// <summary>What a worker's stages did lately, from its gauges. One writer, the link's reader; any number of readers.</summary>
internal sealed class StageWindow
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Queue<WorkerStages> _readings = new();
    private WorkerStages _last;

    /// <summary>What was done within the last ten seconds, or since the worker's start.</summary>
    public WorkerStages Lately
    {
        get
        {
            lock (_gate) return _readings.TryPeek(out var first) ? _last - first : default;
        }
    }

    /// <summary>Takes a gauge in.</summary>
    /// <returns>What was done since the worker's start.</returns>
    public WorkerStages Add(GaugeMessage gauge)
    {
        var reading = From(gauge);
        lock (_gate)
        {
            _last = reading;
            _readings.Enqueue(reading);
            while (_readings.Count > 2 && reading.Elapsed - _readings.Peek().Elapsed > Length) _readings.Dequeue();
        }

        return reading;
    }

    private static WorkerStages From(GaugeMessage gauge)
    {
        if (gauge.Stages is not { } stages) return new WorkerStages { DeviceBusy = TimeSpan.FromMicroseconds(gauge.BusyMicroseconds), Rows = gauge.Rows };
        var elapsed = TimeSpan.FromMicroseconds(stages.UpMicroseconds);
        return new WorkerStages
        {
            Elapsed = elapsed,
            DeviceBusy = TimeSpan.FromMicroseconds(gauge.BusyMicroseconds),
            DeviceStarved = TimeSpan.FromMicroseconds(stages.StarvedMicroseconds),
            DeviceIdle = TimeSpan.FromMicroseconds(stages.IdleMicroseconds),
            DecodeBusy = TimeSpan.FromMicroseconds(stages.DecodeMicroseconds),
            DecodeCapacity = elapsed * stages.DecodeThreads,
            EncodeBusy = TimeSpan.FromMicroseconds(stages.EncodeMicroseconds),
            Rows = gauge.Rows,
        };
    }
}
