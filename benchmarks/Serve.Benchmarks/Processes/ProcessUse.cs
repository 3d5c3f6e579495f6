using System.Globalization;
using System.Runtime.InteropServices;

namespace Serve.Benchmarks.Processes;

/// <summary>What Linux says of a process.</summary>
internal static partial class ProcessUse
{
    private const int ClockTicks = 2; // _SC_CLK_TCK

    private static readonly double TicksPerSecond = sysconf(ClockTicks);

    /// <summary>User and system time since its start. In steps of a clock tick, 10 ms.</summary>
    public static TimeSpan CpuTime(int pid)
    {
        // Fields 14 and 15; the second is a name in brackets, which may hold anything.
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        return TimeSpan.FromSeconds(ticks / TicksPerSecond);
    }

    /// <summary>Memory that it has in RAM now, shared pages too.</summary>
    public static long ResidentBytes(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line["VmRSS:".Length..^"kB".Length], CultureInfo.InvariantCulture) << 10;
    }

    /// <summary>The same, with each shared page divided by those who share it.</summary>
    public static long ProportionalBytes(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/smaps_rollup").First(line => line.StartsWith("Pss:", StringComparison.Ordinal));
        return long.Parse(line["Pss:".Length..^"kB".Length], CultureInfo.InvariantCulture) << 10;
    }

    [LibraryImport("libc")]
    private static partial nint sysconf(int name);
}
