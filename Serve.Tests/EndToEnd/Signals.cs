using System.Runtime.InteropServices;

namespace Serve.Tests.EndToEnd;

/// <summary>Unix signals, for tests that kill, stop and continue processes.</summary>
internal static partial class Signals
{
    public static void Terminate(int pid) => Send(pid, 15);

    public static void Kill(int pid) => Send(pid, 9);

    public static void Interrupt(int pid) => Send(pid, 2);

    public static void Stop(int pid) => Send(pid, 19);

    public static void Continue(int pid) => Send(pid, 18);

    /// <summary>Sends a signal; a process that has just ended is no error.</summary>
    private static void Send(int pid, int signal)
    {
        const int NoSuchProcess = 3;
        if (SendSignal(pid, signal) != 0 && Marshal.GetLastPInvokeError() is var error and not NoSuchProcess)
        {
            throw new InvalidOperationException($"kill({pid}, {signal}) failed with error {error}.");
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int pid, int signal);
}
