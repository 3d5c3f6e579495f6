using System.Globalization;

namespace Serve.Tests.EndToEnd;

/// <summary>What <c>/proc</c> says of other processes.</summary>
internal static class Processes
{
    /// <summary>Whether a process runs, or is stopped; one that has ended and waits for its parent does not.</summary>
    public static bool IsAlive(int pid) => Stat(pid) is { State: not ('Z' or 'X') };

    /// <summary>The processes that a process has started and that are still alive.</summary>
    public static IReadOnlyList<int> ChildrenOf(int pid) =>
    [
        .. Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var child) ? child : 0)
            .Where(child => child > 0 && Stat(child) is { State: not ('Z' or 'X') } stat && stat.Parent == pid),
    ];

    /// <summary>The memory that a process has in RAM.</summary>
    public static long ResidentBytes(int pid)
    {
        var line = File.ReadLines($"/proc/{pid}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.AsSpan("VmRSS:".Length).Trim().TrimEnd(" kB"), CultureInfo.InvariantCulture) << 10;
    }

    private static (char State, int Parent)? Stat(int pid)
    {
        try
        {
            // "pid (name) state parent …"; the name may contain anything.
            var text = File.ReadAllText($"/proc/{pid}/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
