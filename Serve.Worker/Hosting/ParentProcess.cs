using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Serve.Worker.Hosting;

/// <summary>The worker's ties to the frontend that started it: it must never outlive it.</summary>
internal static partial class ParentProcess
{
    private const int SetParentDeathSignal = 1; // PR_SET_PDEATHSIG
    private const int Kill = 9;

    /// <summary>Whether the system itself ends this process when its parent ends.</summary>
    public static bool IsTied { get; private set; }

    /// <summary>
    /// Has the kernel kill this process when its parent dies, also while it is stopped; the end of the socket cannot do that.
    /// The signal follows the thread that started the worker, which is why the frontend starts workers from one that stays.
    /// </summary>
    /// <returns>False if the parent has died already, or is another process.</returns>
    public static bool Tie(int parent)
    {
        if (OperatingSystem.IsLinux())
        {
            if (Prctl(SetParentDeathSignal, Kill, 0, 0, 0) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), "prctl(PR_SET_PDEATHSIG) failed");
            IsTied = true;
        }

        // Only now: a parent that died before the call above sends no signal.
        return OperatingSystem.IsWindows() || GetParent() == parent;
    }

    /// <summary>
    /// Signals that a terminal sends to the whole process group are the frontend's business: it drains, and then tells its
    /// workers to leave.
    /// </summary>
    public static IDisposable[] LeaveSignalsToParent() =>
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, static signal => signal.Cancel = true),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, static signal => signal.Cancel = true),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, static signal => signal.Cancel = true),
        PosixSignalRegistration.Create(PosixSignal.SIGQUIT, static signal => signal.Cancel = true),
    ];

    /// <summary>Ends the process at once, whatever its other threads do: no finalizers, no exit handlers, which could wait for a thread that is stuck in native code.</summary>
    public static void Leave(int exitCode)
    {
        if (!OperatingSystem.IsWindows()) ExitNow(exitCode);
        Environment.Exit(exitCode);
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Prctl(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParent();

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void ExitNow(int exitCode);
}
