using System.IO.Pipelines;
using System.Reflection;
using Microsoft.AspNetCore.Hosting.Server;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// Has Kestrel's HTTP/2 read the frames of a connection on the thread that received them, as it reads HTTP/1.1. All else that
/// Kestrel schedules goes to the thread pool, as ever: bodies, cancellations, answers, and what its clock wakes.
/// </summary>
/// <remarks>
/// Kestrel has no option for it: what <see cref="TryApply"/> sets is not public. Kestrel's tests set
/// <see cref="PipeScheduler.Inline"/>, but then it writes answers under locks that it takes in two orders. docs/decisions/0015
/// has more.
/// </remarks>
internal sealed class FrameScheduler : PipeScheduler
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    // What this thread gives Kestrel is for whoever Kestrel wakes first.
    [ThreadStatic]
    private static bool _isGiving;

    /// <summary>Sets it, before the server starts.</summary>
    /// <param name="kestrel">The server.</param>
    /// <returns>False: this Kestrel has it no longer, and goes on as it is.</returns>
    public static bool TryApply(IServer kestrel)
    {
        if (kestrel.GetType().GetProperty("ServiceContext", Instance)?.GetValue(kestrel) is not { } context) return false;
        if (context.GetType().GetProperty("Scheduler", Instance) is not { CanWrite: true } scheduler || scheduler.PropertyType != typeof(PipeScheduler)) return false;
        scheduler.SetValue(context, new FrameScheduler());
        return true;
    }

    /// <summary>Has Kestrel take a connection's bytes, and its reader of frames read them, on this thread.</summary>
    /// <param name="take">What takes them, and wakes the reader.</param>
    /// <param name="state">For it.</param>
    public static void Give(Action<object?> take, object? state)
    {
        _isGiving = true;
        try
        {
            take(state);
        }
        finally
        {
            _isGiving = false;
        }
    }

    /// <inheritdoc/>
    public override void Schedule(Action<object?> action, object? state)
    {
        if (!_isGiving)
        {
            System.Threading.ThreadPool.UnsafeQueueUserWorkItem(action, state, preferLocal: false);
            return;
        }

        _isGiving = false;
        action(state);
    }
}
