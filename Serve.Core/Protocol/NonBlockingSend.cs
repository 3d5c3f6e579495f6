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
    /// <returns>Bytes taken, or −1 when the socket takes nothing now.</returns>
    /// <exception cref="SocketException">The connection broke.</exception>
    public static unsafe int Send(Socket socket, ReadOnlySpan<byte> bytes)
    {
        var handle = socket.SafeHandle;
        var isHeld = false;
        try
        {
            handle.DangerousAddRef(ref isHeld);
            fixed (byte* start = bytes)
            {
                while (true)
                {
                    var sent = SendNative((int)handle.DangerousGetHandle(), start, (nuint)bytes.Length, DontWait | NoSignal);
                    if (sent >= 0) return (int)sent;
                    var error = Marshal.GetLastPInvokeError();
                    if (error == Again) return -1;
                    if (error != Interrupted) throw new SocketException((int)SocketError.ConnectionReset, $"send failed with errno {error}");
                }
            }
        }
        catch (ObjectDisposedException)
        {
            throw new SocketException((int)SocketError.Shutdown);
        }
        finally
        {
            if (isHeld) handle.DangerousRelease();
        }
    }

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static unsafe partial nint SendNative(int socket, byte* buffer, nuint length, int flags);
}
