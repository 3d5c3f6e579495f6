using System.Runtime.InteropServices;

namespace Serve.Worker.Images;

/// <summary>The processor time of one thread, as another thread can ask for it.</summary>
internal static partial class ThreadProcessorClock
{
    /// <summary>Tells the calling thread's processor time to whoever asks, as long as the thread lives.</summary>
    /// <returns>Null where the system cannot tell.</returns>
    public static Func<TimeSpan>? OfThisThread()
    {
        if (!OperatingSystem.IsLinux()) return null;
        return GetClock(Self(), out var clock) == 0 ? () => Read(clock) : null;
    }

    // A thread that has ended has no time; it has no decoding either.
    private static TimeSpan Read(int clock) =>
        GetTime(clock, out var time) == 0 ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TimeSpan.NanosecondsPerTick) : TimeSpan.MaxValue;

    [LibraryImport("libc", EntryPoint = "pthread_self")]
    private static partial nint Self();

    [LibraryImport("libc", EntryPoint = "pthread_getcpuclockid")]
    private static partial int GetClock(nint thread, out int clock);

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
