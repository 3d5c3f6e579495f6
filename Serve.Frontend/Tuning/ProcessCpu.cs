using System.Diagnostics;

namespace Serve.Frontend.Tuning;

/// <summary>CPU time of other processes.</summary>
internal static class ProcessCpu
{
    /// <summary>User and system time of all of them; one that has ended counts nothing.</summary>
    public static TimeSpan Of(IEnumerable<int> pids)
    {
        var sum = TimeSpan.Zero;
        foreach (var pid in pids)
        {
            try
            {
                using var process = Process.GetProcessById(pid);
                sum += process.TotalProcessorTime;
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // It has ended.
            }
        }

        return sum;
    }
}
