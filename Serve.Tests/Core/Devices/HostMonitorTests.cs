using Serve.Core.Devices.Host;

namespace Serve.Tests.Core.Devices;

public sealed class HostMonitorTests : IDisposable
{
    private readonly string _proc = Directory.CreateTempSubdirectory("serve-proc-").FullName;

    [Fact]
    public void Processors_are_measured_between_two_readings()
    {
        Write("stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0\n");
        var monitor = new HostMonitor(_proc);

        // 200 ticks later: 40 in user, 10 in softirq, 100 idle, 50 waiting for disks. guest (the ninth) is in user already.
        Write("stat", "cpu  140 0 100 900 50 0 10 0 30 0\n");
        Assert.Equal(0.25, monitor.Read().CpuUtilization);
        Assert.Equal(0.25, monitor.Read().CpuUtilization);
    }

    [Fact]
    public void Memory_is_read_as_its_tools_show_it()
    {
        Write("meminfo", "MemTotal:       1000 kB\nMemFree:         200 kB\nMemAvailable:    600 kB\nBuffers:          50 kB\nCached:          300 kB\nSReclaimable:     50 kB\nHugePages_Total:   0\n");
        var reading = new HostMonitor(_proc).Read();
        Assert.Equal((1000 << 10, 600 << 10, 400 << 10), (reading.MemoryTotalBytes, reading.MemoryAvailableBytes, reading.MemoryUsedBytes));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("cpu  1 2\n")]
    [InlineData("cpu nonsense\n")]
    public void What_cannot_be_read_is_not_told(string? stat)
    {
        if (stat is not null) Write("stat", stat);
        var reading = new HostMonitor(_proc).Read();
        Assert.Equal((null, null, null, null), (reading.CpuUtilization, reading.MemoryTotalBytes, reading.MemoryUsedBytes, reading.MemoryAvailableBytes));
        Assert.True(reading.DiskUsedBytes > 0);
    }

    public void Dispose() => Directory.Delete(_proc, recursive: true);

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(_proc, file), text);
}
