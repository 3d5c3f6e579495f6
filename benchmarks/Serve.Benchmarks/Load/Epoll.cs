using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Serve.Benchmarks.Load;

/// <summary>
/// Linux's readiness interface, and non-blocking send and receive. One thread with it drives all connections of a load, as
/// wrk does: on a machine that client and server share, a client of .NET's asynchronous sockets would take half of it.
/// </summary>
internal sealed partial class Epoll : IDisposable
{
    public const uint Readable = 0x001;
    public const uint Writable = 0x004;

    private const int MostEvents = 256;
    private const int Add = 1;
    private const int Modify = 3;
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;
    private const int TryAgain = 11;
    private const int Interrupted = 4;

    // struct epoll_event is packed on x86 only.
    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86 ? 4 : 8;

    private readonly byte[] _events = new byte[MostEvents * 16];
    private readonly int _handle;

    public Epoll()
    {
        _handle = epoll_create1(0);
        if (_handle < 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    /// <summary>Watches a socket; its events name it by the tag.</summary>
    public void Watch(int socket, uint events, int tag) => Control(Add, socket, events, tag);

    /// <summary>Watches for other events of a watched socket.</summary>
    public void Change(int socket, uint events, int tag) => Control(Modify, socket, events, tag);

    /// <summary>Waits for events.</summary>
    /// <returns>How many there are; 0 when the time has passed.</returns>
    public unsafe int Wait(int milliseconds)
    {
        int count;
        fixed (byte* events = _events) count = epoll_wait(_handle, events, MostEvents, milliseconds);
        if (count >= 0) return count;
        return Marshal.GetLastPInvokeError() == Interrupted ? 0 : throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    /// <summary>Waits for events, to some microseconds.</summary>
    /// <returns>How many there are; 0 when the time has passed.</returns>
    public unsafe int Wait(TimeSpan time)
    {
        var limit = stackalloc long[2];
        limit[0] = (long)time.TotalSeconds;
        limit[1] = (long)(time.TotalNanoseconds % 1e9);
        int count;
        fixed (byte* events = _events) count = epoll_pwait2(_handle, events, MostEvents, limit, 0);
        if (count >= 0) return count;
        return Marshal.GetLastPInvokeError() == Interrupted ? 0 : throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    /// <summary>The tag of an event that a wait has found.</summary>
    public int Tag(int index) => Unsafe.ReadUnaligned<int>(ref _events[(index * (DataOffset + 8)) + DataOffset]);

    /// <summary>Sends what the socket takes now.</summary>
    /// <returns>How many bytes; −1: none, wait for <see cref="Writable"/>.</returns>
    public static unsafe int Send(int socket, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes) return Result(send(socket, start, bytes.Length, DontWait | NoSignal));
    }

    /// <summary>Receives what is there.</summary>
    /// <returns>How many bytes; 0: the server has closed the connection; −1: none yet, wait for <see cref="Readable"/>.</returns>
    public static unsafe int Receive(int socket, Span<byte> bytes)
    {
        fixed (byte* start = bytes) return Result(recv(socket, start, bytes.Length, DontWait));
    }

    public void Dispose() => _ = close(_handle);

    private static int Result(nint count)
    {
        if (count >= 0) return (int)count;
        var error = Marshal.GetLastPInvokeError();
        return error is TryAgain or Interrupted ? -1 : throw new Win32Exception(error);
    }

    private unsafe void Control(int operation, int socket, uint events, int tag)
    {
        var entry = stackalloc byte[16];
        Unsafe.WriteUnaligned(entry, events);
        Unsafe.WriteUnaligned(entry + DataOffset, (long)tag);
        if (epoll_ctl(_handle, operation, socket, entry) < 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int epoll_ctl(int epoll, int operation, int socket, byte* entry);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int epoll_wait(int epoll, byte* events, int count, int milliseconds);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int epoll_pwait2(int epoll, byte* events, int maxEvents, long* time, nint signals);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint send(int socket, byte* bytes, nint count, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint recv(int socket, byte* bytes, nint count, int flags);

    [LibraryImport("libc")]
    private static partial int close(int handle);
}
