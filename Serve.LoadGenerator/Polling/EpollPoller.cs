using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Serve.LoadGenerator.Polling;

/// <summary>
/// Linux's readiness interface. On a machine that client and server share, a client of .NET's asynchronous sockets would
/// take half of it.
/// </summary>
internal sealed partial class EpollPoller : ISocketPoller
{
    private const uint Readable = 0x001;
    private const uint Writable = 0x004;
    private const int MostEvents = 256;
    private const int Add = 1;
    private const int Delete = 2;
    private const int Modify = 3;
    private const int Interrupted = 4;
    private const int NoSystemCall = 38;

    // struct epoll_event is packed on x86 only.
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86 ? 4 : 8;

    private readonly byte[] _events = new byte[MostEvents * 16];
    private readonly int _handle;

    // The call with nanoseconds is younger (Linux 5.11, glibc 2.35): without it, waits end up to a millisecond late.
    private bool _hasFineWait = true;

    public EpollPoller()
    {
        _handle = epoll_create1(0);
        if (_handle < 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    public void Watch(Socket socket, bool forWriting, int tag) => Control(Add, socket, forWriting, tag);

    public void Change(Socket socket, bool forWriting, int tag) => Control(Modify, socket, forWriting, tag);

    public void Forget(Socket socket) => Control(Delete, socket, forWriting: false, tag: 0);

    public int Wait(TimeSpan most)
    {
        var count = _hasFineWait ? WaitFine(most) : WaitCoarse(most);
        if (count >= 0) return count;
        var error = Marshal.GetLastPInvokeError();
        if (error == Interrupted) return 0;
        if (error != NoSystemCall || !_hasFineWait) throw new Win32Exception(error);
        _hasFineWait = false;
        return Wait(most);
    }

    public int Tag(int index) => Unsafe.ReadUnaligned<int>(ref _events[(index * (DataOffset + 8)) + DataOffset]);

    public void Dispose() => _ = close(_handle);

    private unsafe int WaitFine(TimeSpan most)
    {
        var time = new TimeSpec(most.Ticks / TimeSpan.TicksPerSecond, most.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
        try
        {
            fixed (byte* events = _events) return epoll_pwait2(_handle, events, MostEvents, &time, null);
        }
        catch (EntryPointNotFoundException)
        {
            _hasFineWait = false;
            return WaitCoarse(most);
        }
    }

    private unsafe int WaitCoarse(TimeSpan most)
    {
        fixed (byte* events = _events) return epoll_wait(_handle, events, MostEvents, (int)Math.Ceiling(most.TotalMilliseconds));
    }

    private unsafe void Control(int operation, Socket socket, bool forWriting, int tag)
    {
        var entry = stackalloc byte[16];
        Unsafe.WriteUnaligned(entry, forWriting ? Readable | Writable : Readable);
        Unsafe.WriteUnaligned(entry + DataOffset, (long)tag);
        if (epoll_ctl(_handle, operation, (int)socket.Handle, entry) < 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct TimeSpec(long Seconds, long Nanoseconds);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int epoll_ctl(int epoll, int operation, int socket, byte* entry);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int epoll_wait(int epoll, byte* events, int count, int milliseconds);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int epoll_pwait2(int epoll, byte* events, int count, TimeSpec* most, void* signals);

    [LibraryImport("libc")]
    private static partial int close(int handle);
}
