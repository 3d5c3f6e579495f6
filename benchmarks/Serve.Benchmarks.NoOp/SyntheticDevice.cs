using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Serve.Benchmarks.NoOp;

/// <summary>
/// A device of which all is known: a batch takes 10 ms and 0.2 ms for each row, at most 32 rows, so 1,951 rows a second. It
/// takes no processor, so what is measured with it is how requests become batches.
/// </summary>
public static partial class SyntheticDevice
{
    /// <summary>The largest batch.</summary>
    public const int BatchSize = 32;

    /// <summary>Rows a second with full batches.</summary>
    public static readonly double Capacity = BatchSize / TimeOf(BatchSize).TotalSeconds;

    /// <summary>The kernel wakes a sleeper 50 to 100 µs late; the last part is spun away.</summary>
    private static readonly TimeSpan Spun = TimeSpan.FromMicroseconds(120);

    /// <summary>What a batch takes.</summary>
    /// <param name="rows">Its rows.</param>
    public static TimeSpan TimeOf(int rows) => TimeSpan.FromMilliseconds(10 + 0.2 * rows);

    /// <summary>Executes a batch: returns when its time is over, to some microseconds if the machine has a core to spare.</summary>
    /// <param name="rows">Its rows.</param>
    public static void Execute(int rows)
    {
        var start = Stopwatch.GetTimestamp();
        var time = TimeOf(rows);
        var sleep = new TimeSpec { Nanoseconds = (long)(time - Spun).TotalNanoseconds };
        _ = nanosleep(in sleep, 0);
        while (Stopwatch.GetElapsedTime(start) < time) Thread.SpinWait(20);
    }

    [LibraryImport("libc")]
    private static partial int nanosleep(in TimeSpec time, nint remaining);

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
