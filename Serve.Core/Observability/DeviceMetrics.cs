using Prometheus;
using Serve.Core.Devices;

namespace Serve.Core.Observability;

/// <summary>The series of the machine's GPUs. A fact that a driver does not tell has no series.</summary>
public static class DeviceMetrics
{
    private static readonly string[] Labels = ["device", "uuid"];

    private static readonly Gauge Info = Metrics.CreateGauge("serve_device_info", "Product name of a GPU; always 1.", [.. Labels, "name"]);

    private static readonly Gauge Utilization = Metrics.CreateGauge("serve_device_utilization_ratio",
        "Share of the driver's last sample period in which a kernel ran, 0 to 1.", Labels);

    private static readonly Gauge MemoryUsed = Metrics.CreateGauge("serve_device_memory_used_bytes", "Memory of the GPU in use, by all processes.", Labels);

    private static readonly Gauge MemoryTotal = Metrics.CreateGauge("serve_device_memory_total_bytes", "Memory of the GPU.", Labels);

    private static readonly Gauge Power = Metrics.CreateGauge("serve_device_power_watts", "Power that the GPU draws.", Labels);

    private static readonly Counter Energy = Metrics.CreateCounter("serve_device_energy_joules_total", "Energy that the GPU has drawn since its driver was loaded.", Labels);

    private static readonly Gauge Temperature = Metrics.CreateGauge("serve_device_temperature_celsius", "Temperature of the GPU.", Labels);

    /// <summary>Takes a reading over into the series; before a scrape.</summary>
    /// <param name="readings">The devices.</param>
    public static void Update(IReadOnlyList<DeviceReading> readings)
    {
        foreach (var reading in readings)
        {
            string[] labels = [reading.Device, reading.Uuid];
            Info.WithLabels(reading.Device, reading.Uuid, reading.Name).Set(1);
            Set(Utilization, labels, reading.Utilization);
            Set(MemoryUsed, labels, reading.MemoryUsedBytes);
            Set(MemoryTotal, labels, reading.MemoryTotalBytes);
            Set(Power, labels, reading.PowerWatts);
            if (reading.EnergyJoules is { } energy) Energy.WithLabels(labels).IncTo(energy);
            Set(Temperature, labels, reading.TemperatureCelsius);
        }
    }

    private static void Set(Gauge gauge, string[] labels, double? value)
    {
        if (value is { } known) gauge.WithLabels(labels).Set(known);
    }
}
