using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Serve.Core.Protocol;

/// <summary>
/// Sends what a blocking socket takes at once. .NET has no flag for a single non-blocking call on a blocking socket, and
/// a reader thread may need the socket to block; so the system call is made directly where its numbers are known.
/// </summary>
internal static partial class NonBlockingSend
{
    // Linux's values, the same on x64 and arm64.
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;
    private const int Again = 11;
    private const int Interrupted = 4;

    /// <summary>Whether this platform has it; elsewhere the sender's thread sends everything.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux();

    /// <summary>Sends without waiting.</summary>
    /// <param name="socket">A stream socket.</param>
    /// <param name="pieces">What to send, one after the other; at most 64.</param>
    /// <returns>Bytes taken, or −1 when the socket takes nothing now.</returns>
    /// <exception cref="SocketException">The connection broke.</exception>
    public static unsafe int Send(Socket socket, ReadOnlySpan<ArraySegment<byte>> pieces)
    {
        var handle = socket.SafeHandle;
        var isHeld = false;
        Span<Vector> vectors = stackalloc Vector[pieces.Length];
        Span<GCHandle> pins = stackalloc GCHandle[pieces.Length];
        var pinned = 0;
        try
        {
            handle.DangerousAddRef(ref isHeld);
            while (pinned < pieces.Length)
            {
                var piece = pieces[pinned];
                pins[pinned] = GCHandle.Alloc(piece.Array, GCHandleType.Pinned);
                vectors[pinned++] = new Vector((byte*)pins[pinned - 1].AddrOfPinnedObject() + piece.Offset, (nuint)piece.Count);
            }

            fixed (Vector* first = vectors)
            {
                var message = new Message { Vectors = first, Count = (nuint)pieces.Length };
                while (true)
                {
                    var sent = SendNative((int)handle.DangerousGetHandle(), &message, DontWait | NoSignal);
                    if (sent >= 0) return (int)sent;
                    var error = Marshal.GetLastPInvokeError();
                    if (error == Again) return -1;
                    if (error != Interrupted) throw new SocketException((int)SocketError.ConnectionReset, $"sendmsg failed with errno {error}");
                }
            }
        }
        catch (ObjectDisposedException)
        {
            throw new SocketException((int)SocketError.Shutdown);
        }
        finally
        {
            for (var i = 0; i < pinned; i++) pins[i].Free();
            if (isHeld) handle.DangerousRelease();
        }
    }

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static unsafe partial nint SendNative(int socket, Message* message, int flags);

    // struct iovec.
    private readonly unsafe struct Vector(byte* start, nuint length)
    {
        public readonly byte* Start = start;
        public readonly nuint Length = length;
    }

    // struct msghdr, on 64 bits.
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Message
    {
        public void* Name;
        public uint NameLength;
        public Vector* Vectors;
        public nuint Count;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
