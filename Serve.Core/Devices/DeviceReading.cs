namespace Serve.Core.Devices;

/// <summary>What a GPU's driver says of it at one moment. What it does not tell is null.</summary>
public sealed record DeviceReading
{
    /// <summary>As <c>deviceIds</c> and describe name it, for example <c>gpu:0</c>.</summary>
    public required string Device { get; init; }

    /// <summary>Product, for example <c>Tesla T4</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The driver's own id, for example <c>GPU-8f3c…</c>.</summary>
    public required string Uuid { get; init; }

    /// <summary>Share of the driver's last sample period (a sixth of a second to a second) in which a kernel ran: 0 to 1.</summary>
    public double? Utilization { get; init; }

    /// <summary>Share of the same period in which the device's memory was read or written: 0 to 1.</summary>
    public double? MemoryUtilization { get; init; }

    /// <summary>Memory in use by all processes, in bytes.</summary>
    public long? MemoryUsedBytes { get; init; }

    /// <summary>Memory of the device, in bytes.</summary>
    public long? MemoryTotalBytes { get; init; }

    /// <summary>Power drawn, in watts.</summary>
    public double? PowerWatts { get; init; }

    /// <summary>Energy drawn since the driver was loaded, in joules.</summary>
    public double? EnergyJoules { get; init; }

    /// <summary>Temperature of the chip, in degrees Celsius.</summary>
    public double? TemperatureCelsius { get; init; }

    /// <summary>
    /// Memory by process id, in bytes. Empty where the driver does not tell; in a container with process ids of its own it
    /// may tell the host's, which are nobody's here.
    /// </summary>
    public IReadOnlyDictionary<int, long> ProcessMemoryBytes { get; init; } = new Dictionary<int, long>();
}
