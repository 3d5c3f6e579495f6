using System.Runtime.CompilerServices;

namespace Serve.Frontend.Hosting;

/// <summary>The threads that sockets complete on with <c>fastPath: inline</c>. While one of them is busy, all that its sockets bring waits.</summary>
internal static class SocketThread
{
    /// <summary>Whether this is one, or at least no thread of the pool.</summary>
    public static bool IsCurrent => !Thread.CurrentThread.IsThreadPoolThread;

    /// <summary>Goes on on a thread of the pool, behind what waits there.</summary>
    public static YieldAwaitable LeaveAsync() => Task.Yield();
}
