namespace Serve.Worker.Execution;

/// <summary>How many threads of the machine a worker takes.</summary>
internal static class CpuBudget
{
    /// <summary>
    /// Threads inside one operator: an equal share of the machine's cores for each execution that can run at once,
    /// <c>max(1, cores / (workers × instances))</c>. Two threads of one core count once: they share its arithmetic units.
    /// </summary>
    public static int IntraOpThreads(int instances, int hostWorkers) =>
        Math.Max(1, PhysicalCores / Math.Max(1, instances * hostWorkers));

    /// <summary>Threads that decode: all processors of the worker's share but one, which feeds the device; at least one.</summary>
    public static int DecodeThreads(int hostWorkers) =>
        Math.Max(1, (Environment.ProcessorCount / Math.Max(1, hostWorkers)) - 1);

    /// <summary>Cores that this process may use; processors where the system does not say which of them share a core.</summary>
    public static int PhysicalCores { get; } = CountCores("/sys/devices/system/cpu", Environment.ProcessorCount);

    internal static int CountCores(string folder, int processors)
    {
        if (!Directory.Exists(folder)) return processors;

        var cores = new HashSet<string>(StringComparer.Ordinal);
        foreach (var cpu in Directory.EnumerateDirectories(folder, "cpu*"))
        {
            var siblings = Path.Combine(cpu, "topology", "thread_siblings_list");
            if (File.Exists(siblings)) cores.Add(File.ReadAllText(siblings).Trim());
        }

        return cores.Count == 0 ? processors : Math.Min(cores.Count, processors);
    }
}
