namespace Serve.Frontend.Tuning;

/// <summary>
/// How many settings can be loaded at once: by the most that a worker has taken so far. Until something was measured, one.
/// </summary>
/// <param name="hostBytes">Memory of the machine, or of the container.</param>
internal sealed class TuneMemory(long hostBytes)
{
    // The rest is for frontends, for the load, for larger batches than were measured, and for everybody else.
    private const double HostShare = 0.5;
    private const double DeviceShare = 0.8;

    private long _hostBytesOfWorker;
    private long _deviceBytesOfWorker;
    private long _deviceBytes;

    /// <summary>A setting was measured.</summary>
    /// <param name="workers">Its workers.</param>
    /// <param name="memory">Resident memory of all of them.</param>
    /// <param name="deviceMemory">Their memory on the device; null: nothing tells, or there is none.</param>
    /// <param name="deviceTotal">The device's memory; null: likewise.</param>
    public void Learn(int workers, long memory, long? deviceMemory, long? deviceTotal)
    {
        _hostBytesOfWorker = Math.Max(_hostBytesOfWorker, memory / workers);
        _deviceBytesOfWorker = Math.Max(_deviceBytesOfWorker, (deviceMemory ?? 0) / workers);
        _deviceBytes = deviceTotal ?? _deviceBytes;
    }

    /// <summary>Whether so many workers fit, all on one device.</summary>
    public bool Holds(int workers) =>
        _hostBytesOfWorker > 0
        && workers * _hostBytesOfWorker <= HostShare * hostBytes
        && (_deviceBytesOfWorker == 0 || workers * _deviceBytesOfWorker <= DeviceShare * _deviceBytes);
}
