namespace Serve.Core.Devices.Nvml;

/// <summary>Asks NVIDIA's driver. The library is looked for once, at the first reading.</summary>
/// <param name="libraryPath">Its file; by default the driver's.</param>
/// <param name="visibleDevices">The value of <c>CUDA_VISIBLE_DEVICES</c> that workers see.</param>
public sealed class NvmlProbe(string? libraryPath = null, string? visibleDevices = null) : IDeviceProbe
{
    private readonly Lazy<NvmlLibrary?> _library = new(() => NvmlLibrary.TryLoad(libraryPath));

    /// <inheritdoc/>
    public IReadOnlyList<DeviceReading> Read()
    {
        if (_library.Value is not { } library) return [];
        var handles = library.Devices();
        string[] uuids = [.. handles.Select(handle => library.Uuid(handle) ?? "")];
        var order = VisibleDevices.Order(visibleDevices, uuids);
        var readings = new DeviceReading[order.Count];
        for (var i = 0; i < readings.Length; i++)
        {
            var handle = handles[order[i]];
            var memory = library.MemoryOf(handle);
            var utilization = library.UtilizationOf(handle);
            readings[i] = new DeviceReading
            {
                Device = $"gpu:{i}",
                Name = library.Name(handle) ?? "unknown",
                Uuid = uuids[order[i]],
                Utilization = utilization?.Chip,
                MemoryUtilization = utilization?.Memory,
                MemoryUsedBytes = memory?.Used,
                MemoryTotalBytes = memory?.Total,
                PowerWatts = library.PowerWatts(handle),
                EnergyJoules = library.EnergyJoules(handle),
                TemperatureCelsius = library.TemperatureCelsius(handle),
                ProcessMemoryBytes = library.ProcessMemory(handle),
            };
        }

        return readings;
    }
}
