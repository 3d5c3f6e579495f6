using System.Globalization;

namespace Serve.Core.Devices;

/// <summary>
/// Which of the machine's GPUs workers see, and under which index. CUDA numbers only those that
/// <c>CUDA_VISIBLE_DEVICES</c> lists, from 0, in the listed order; the list ends at its first entry that is no device.
/// Source: CUDA C++ programming guide, "CUDA environment variables".
/// </summary>
public static class VisibleDevices
{
    /// <summary>The driver's indices, in the order of CUDA's.</summary>
    /// <param name="variable">The value of <c>CUDA_VISIBLE_DEVICES</c>; null: not set, all are seen.</param>
    /// <param name="uuids">The id of every GPU that the driver knows, in the driver's order.</param>
    /// <returns>
    /// At position N the driver's index of <c>gpu:N</c>. A list of MIG parts is of no device as a whole: empty.
    /// </returns>
    public static IReadOnlyList<int> Order(string? variable, IReadOnlyList<string> uuids)
    {
        if (variable is null) return [.. Enumerable.Range(0, uuids.Count)];
        var order = new List<int>();
        foreach (var entry in variable.Split(',', StringSplitOptions.TrimEntries))
        {
            var index = IndexOf(entry, uuids);
            if (index < 0 || order.Contains(index)) break;
            order.Add(index);
        }

        return order;
    }

    private static int IndexOf(string entry, IReadOnlyList<string> uuids)
    {
        if (int.TryParse(entry, NumberStyles.None, CultureInfo.InvariantCulture, out var index)) return index < uuids.Count ? index : -1;
        if (!entry.StartsWith("GPU-", StringComparison.OrdinalIgnoreCase)) return -1;

        // The beginning of an id is enough where it is nobody else's.
        var found = -1;
        for (var i = 0; i < uuids.Count; i++)
        {
            if (!uuids[i].StartsWith(entry, StringComparison.OrdinalIgnoreCase)) continue;
            if (found >= 0) return -1;
            found = i;
        }

        return found;
    }
}
