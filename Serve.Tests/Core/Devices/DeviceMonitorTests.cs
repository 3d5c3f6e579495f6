using Microsoft.Extensions.Time.Testing;
using Serve.Core.Devices;
using Serve.Core.Devices.Nvml;

namespace Serve.Tests.Core.Devices;

public sealed class DeviceMonitorTests
{
    [Fact]
    public void The_driver_is_asked_at_most_once_a_second()
    {
        var (probe, time) = (new CountingProbe(), new FakeTimeProvider());
        var monitor = new DeviceMonitor(probe, time);

        for (var i = 0; i < 5; i++) Assert.Equal(2, monitor.Readings.Count);
        time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.NotNull(monitor.Find("gpu:1"));
        Assert.Equal(1, probe.Readings);

        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(7, monitor.MemoryOf(11));
        Assert.Equal(2, probe.Readings);
    }

    [Fact]
    public void A_process_that_no_device_names_has_no_memory_rather_than_none()
    {
        var monitor = new DeviceMonitor(new CountingProbe(), new FakeTimeProvider());

        Assert.Equal(30, monitor.MemoryOf(12));
        Assert.Null(monitor.MemoryOf(13));
        Assert.Null(monitor.Find("gpu:2"));
    }

    [Fact]
    public void A_machine_without_the_drivers_library_has_no_devices() => Assert.Empty(new NvmlProbe("libno-such-driver.so.1").Read());

    private sealed class CountingProbe : IDeviceProbe
    {
        public int Readings { get; private set; }

        public IReadOnlyList<DeviceReading> Read()
        {
            Readings++;
            return
            [
                new DeviceReading { Device = "gpu:0", Name = "A", Uuid = "GPU-a", ProcessMemoryBytes = new Dictionary<int, long> { [11] = 7, [12] = 10 } },
                new DeviceReading { Device = "gpu:1", Name = "B", Uuid = "GPU-b", ProcessMemoryBytes = new Dictionary<int, long> { [12] = 20 } },
            ];
        }
    }
}
