namespace Serve.Core.Scheduling;

/// <summary>
/// A request as the scheduler sees it. All mutable members belong to the <c>Dispatcher</c> of its model version and
/// may only be touched under that version's lock.
/// </summary>
public abstract class ScheduledRequest
{
    /// <summary>Unique within the frontend's life; the request's name on the worker link.</summary>
    public ulong Id { get; init; }

    /// <summary>Priority lane; 0 is served first.</summary>
    public int Lane { get; init; }

    /// <summary>When it was admitted, as a timestamp of the <see cref="TimeProvider"/>.</summary>
    public long ArrivalTimestamp { get; init; }

    /// <summary>When its answer is of no use any more, as a timestamp; <see cref="long.MaxValue"/>: never.</summary>
    public long DeadlineTimestamp { get; init; } = long.MaxValue;

    /// <summary>How many rows of a batch it fills; 1 unless a protocol with several rows a request says otherwise.</summary>
    public int Rows { get; init; } = 1;

    /// <summary>Where the request is.</summary>
    public RequestPlace Place { get; internal set; }

    /// <summary>Its place in line among all requests of the version: what goes back to the queue goes back to its old place.</summary>
    internal long Sequence { get; set; }

    /// <summary>Neighbours in the list that <see cref="Place"/> names.</summary>
    internal ScheduledRequest? Previous { get; set; }

    /// <inheritdoc cref="Previous"/>
    internal ScheduledRequest? Next { get; set; }

    /// <summary>The worker that has it; null while queued.</summary>
    public WorkerSlot? Worker { get; internal set; }

    /// <summary>How many workers died while they ran this request alone.</summary>
    public int SoloDeaths { get; internal set; }
}

/// <summary>Where a request is.</summary>
public enum RequestPlace
{
    /// <summary>Not admitted, or answered.</summary>
    Nowhere,

    /// <summary>Waits in its lane.</summary>
    Queued,

    /// <summary>Suspected of having killed a worker; waits to be run apart from strangers.</summary>
    Quarantined,

    /// <summary>At a worker, which has not begun it.</summary>
    Sent,

    /// <summary>At a worker, in a batch that executes.</summary>
    Begun,
}
