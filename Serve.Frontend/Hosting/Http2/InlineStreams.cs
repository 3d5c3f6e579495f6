using System.IO.Pipelines;
using System.Reflection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// Has Kestrel serve HTTP/2 on the threads that its sockets complete on, as
/// <see cref="SocketTransportOptions.UnsafePreferInlineScheduling"/> has it serve HTTP/1.1. Kestrel can do that, and its own
/// tests run so, but it has no option for it: what is set here is not public. docs/decisions/0015 has the reasons.
/// </summary>
internal static class InlineStreams
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>Sets it, before the server starts.</summary>
    /// <param name="kestrel">The server.</param>
    /// <returns>False: this Kestrel has it no longer, and goes on as it is.</returns>
    public static bool TryApply(IServer kestrel)
    {
        if (kestrel.GetType().GetProperty("ServiceContext", Instance)?.GetValue(kestrel) is not { } context) return false;
        if (context.GetType().GetProperty("Scheduler", Instance) is not { CanWrite: true } scheduler || scheduler.PropertyType != typeof(PipeScheduler)) return false;
        scheduler.SetValue(context, PipeScheduler.Inline);
        return true;
    }
}
