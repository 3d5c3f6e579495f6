namespace Serve.Core.Scheduling;

/// <summary>A worker as the <c>Dispatcher</c> sees it: credit, and what it has outstanding. Only touched under the version's lock.</summary>
public sealed class WorkerSlot
{
    /// <summary>What the pool knows this worker by.</summary>
    public required object Owner { get; init; }

    /// <summary>Rows that may be outstanding at once.</summary>
    public int Credit { get; internal set; }

    /// <summary>Rows that are outstanding.</summary>
    public int OutstandingRows { get; internal set; }

    /// <summary>Whether it is given nothing more.</summary>
    public bool IsDraining { get; internal set; }
}
