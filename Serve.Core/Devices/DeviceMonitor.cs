namespace Serve.Core.Devices;

/// <summary>The last reading of the devices, made when somebody asks and the one before is old. Safe from any thread.</summary>
/// <param name="probe">Where readings come from.</param>
/// <param name="time">The clock.</param>
public sealed class DeviceMonitor(IDeviceProbe probe, TimeProvider time)
{
    // A reading takes milliseconds, and the driver's own samples are hardly younger.
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private IReadOnlyList<DeviceReading>? _readings;
    private long _readAt;

    /// <summary>Every GPU that workers can use; at most a second old.</summary>
    public IReadOnlyList<DeviceReading> Readings
    {
        get
        {
            lock (_gate)
            {
                if (_readings is null || time.GetElapsedTime(_readAt) >= MaxAge)
                {
                    _readings = probe.Read();
                    _readAt = time.GetTimestamp();
                }

                return _readings;
            }
        }
    }

    /// <summary>One of them.</summary>
    /// <param name="device">For example <c>gpu:0</c>.</param>
    public DeviceReading? Find(string device) => Readings.FirstOrDefault(reading => reading.Device == device);

    /// <summary>A process's memory on all devices together, in bytes; null if the driver names no such process.</summary>
    /// <param name="pid">The process.</param>
    public long? MemoryOf(int pid)
    {
        long? sum = null;
        foreach (var reading in Readings)
        {
            if (reading.ProcessMemoryBytes.TryGetValue(pid, out var bytes)) sum = (sum ?? 0) + bytes;
        }

        return sum;
    }
}
