using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>A worker as the scheduler sees it: where requests are sent.</summary>
internal interface IRequestTarget
{
    /// <summary>Gathers frames to it.</summary>
    FrameSender Sender { get; }

    /// <summary>The bodies that it may be reading where they lie; null: it gets all by its socket.</summary>
    SharedBodyHolds? Holds { get; }

    /// <summary>The dispatcher's view of it; null while it takes no requests. Belongs to the scheduler's lock.</summary>
    WorkerSlot? Slot { get; set; }

    /// <summary>Whether its sender has frames that nobody has flushed. Belongs to the scheduler's lock.</summary>
    bool IsTouched { get; set; }

    /// <summary>Whether it had nothing before those frames. Belongs to the scheduler's lock.</summary>
    bool WasIdle { get; set; }

    /// <summary>Whether it has answered a request.</summary>
    bool HasServed { get; set; }

    /// <summary>Has what was gathered sent.</summary>
    /// <param name="onThisThread">Whether this thread may do a system call; otherwise the sender's thread does.</param>
    void Flush(bool onThisThread);
}
