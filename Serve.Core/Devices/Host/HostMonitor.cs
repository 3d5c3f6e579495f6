using System.Globalization;

namespace Serve.Core.Devices.Host;

/// <summary>
/// Reads processors, memory and disk of the machine when somebody asks: from <c>/proc</c> (proc(5)), where there is one.
/// Safe from any thread.
/// </summary>
public sealed class HostMonitor
{
    // What is not counted as used: idle and iowait, the fourth and fifth number; later ones than steal are in user already.
    private const int CpuFields = 8;

    private readonly string _proc;
    private readonly Lock _gate = new();
    private (long Used, long Total) _cpu;
    private double? _cpuUtilization;

    /// <summary>Begins to watch the processors.</summary>
    /// <param name="proc">The folder of the kernel's figures.</param>
    public HostMonitor(string proc = "/proc")
    {
        _proc = proc;
        _cpu = ReadCpu() ?? default;
    }

    /// <summary>The machine now; the processors since the last reading, or since this object was made.</summary>
    public HostReading Read()
    {
        var memory = ReadMemory();
        var (diskUsed, diskAvailable) = ReadDisk();
        return new HostReading
        {
            CpuUtilization = MeasureCpu(),
            MemoryTotalBytes = memory.GetValueOrDefault("MemTotal"),
            MemoryAvailableBytes = memory.GetValueOrDefault("MemAvailable"),
            MemoryUsedBytes = memory.GetValueOrDefault("MemTotal") - memory.GetValueOrDefault("MemFree")
                - memory.GetValueOrDefault("Buffers", 0) - memory.GetValueOrDefault("Cached", 0) - memory.GetValueOrDefault("SReclaimable", 0),
            DiskUsedBytes = diskUsed,
            DiskAvailableBytes = diskAvailable,
        };
    }

    private double? MeasureCpu()
    {
        lock (_gate)
        {
            if (ReadCpu() is not { } now) return null;

            // The kernel counts hundredths of seconds: two scrapes at once have the same reading.
            var total = now.Total - _cpu.Total;
            if (total <= 0) return _cpuUtilization;
            _cpuUtilization = Math.Clamp((double)(now.Used - _cpu.Used) / total, 0, 1);
            _cpu = now;
            return _cpuUtilization;
        }
    }

    private (long Used, long Total)? ReadCpu()
    {
        if (ReadLines("stat").FirstOrDefault(line => line.StartsWith("cpu ", StringComparison.Ordinal)) is not { } line) return null;
        var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(CpuFields)
            .Select(field => long.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) ? ticks : 0).ToArray();
        if (fields.Length < 5) return null;
        var total = fields.Sum();
        return (total - fields[3] - fields[4], total);
    }

    private Dictionary<string, long?> ReadMemory()
    {
        var memory = new Dictionary<string, long?>(StringComparer.Ordinal);
        foreach (var line in ReadLines("meminfo"))
        {
            if (line.Split(':', 2) is not [var name, var value] || value.Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var kibibytes, "kB"]) continue;
            if (long.TryParse(kibibytes, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) memory[name] = number << 10;
        }

        return memory;
    }

    private static (long? Used, long? Available) ReadDisk()
    {
        try
        {
            var disk = new DriveInfo(Path.GetPathRoot(AppContext.BaseDirectory) ?? "/");
            return (disk.TotalSize - disk.TotalFreeSpace, disk.AvailableFreeSpace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return (null, null);
        }
    }

    private string[] ReadLines(string file)
    {
        try
        {
            return File.ReadAllLines(Path.Combine(_proc, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // another operating system, or a sandbox
        }
    }
}
