namespace Serve.Core.Scheduling;

/// <summary>Where a request is.</summary>
public enum RequestPlace : byte
{
    /// <summary>Not admitted, or at its end: the scheduler does not refer to it.</summary>
    Nowhere,

    /// <summary>Waits in its lane.</summary>
    Queued,

    /// <summary>Suspected of having killed a worker; waits to be run apart from strangers.</summary>
    Quarantined,

    /// <summary>Its deadline passed before it reached a worker; <see cref="Dispatcher.CollectLate"/> reports it.</summary>
    Late,

    /// <summary>At a worker, which has not begun it.</summary>
    Sent,

    /// <summary>At a worker, in a batch that executes.</summary>
    Begun,
}
