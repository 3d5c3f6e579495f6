using System.ComponentModel;
using System.Diagnostics;
using Serve.Core.Devices.Nvml;

namespace Serve.Tests.Core.Devices;

/// <summary>The calls into NVIDIA's library, made into one of our own: the real one needs a GPU.</summary>
public sealed class NvmlProbeTests
{
    [Fact]
    public void What_the_driver_tells_of_each_device_is_read_and_what_it_does_not_is_null()
    {
        using var folder = new TemporaryFolder();
        var readings = new NvmlProbe(CompileDriver(folder.Path)).Read();

        Assert.Equal(["gpu:0 Fake T4 GPU-one", "gpu:1 Fake T4 GPU-two"], readings.Select(reading => $"{reading.Device} {reading.Name} {reading.Uuid}"));
        var (first, second) = (readings[0], readings[1]);
        Assert.Equal((0.85, 0.4), (first.Utilization!.Value, first.MemoryUtilization!.Value));
        Assert.Equal((3L << 30, 16L << 30), (first.MemoryUsedBytes!.Value, first.MemoryTotalBytes!.Value));
        Assert.Equal((70.5, 61), (first.PowerWatts!.Value, first.TemperatureCelsius!.Value));
        Assert.Null(first.EnergyJoules); // this driver is too old for it
        Assert.Equal(((double?)null, (double?)null), (second.Utilization, second.PowerWatts));

        // Twenty processes did not fit at first; one of them has no figure.
        Assert.Equal(19, first.ProcessMemoryBytes.Count);
        Assert.Equal((20L << 20, false), (first.ProcessMemoryBytes[119], first.ProcessMemoryBytes.ContainsKey(101)));
        Assert.Equal(1L << 20, Assert.Single(second.ProcessMemoryBytes).Value);
    }

    [Fact]
    public void Only_the_devices_that_workers_see_are_told_of_under_the_numbers_that_they_use()
    {
        using var folder = new TemporaryFolder();

        var reading = Assert.Single(new NvmlProbe(CompileDriver(folder.Path), visibleDevices: "GPU-two").Read());

        Assert.Equal(("gpu:0", "GPU-two"), (reading.Device, reading.Uuid));
    }

    private static string CompileDriver(string folder)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The stand-in for the driver is built for Linux.");
        var library = Path.Combine(folder, "libfake-nvml.so");
        var source = Path.Combine(Repository.Root, "Serve.Tests", "Core", "Devices", "fake-nvml.c");
        try
        {
            using var compiler = Process.Start("cc", ["-shared", "-fPIC", "-o", library, source]);
            compiler.WaitForExit();
            Assert.Equal(0, compiler.ExitCode);
        }
        catch (Win32Exception)
        {
            Assert.Skip("No C compiler (cc) to build the stand-in for the driver with.");
        }

        return library;
    }
}
