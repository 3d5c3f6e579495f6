namespace Serve.Core.Scheduling;

/// <summary>
/// A request as a worker's <see cref="BatchFormer{TRow}"/> sees it. All members belong to whoever owns the former's lock while
/// the request is in the former. The object may carry another request once it has left.
/// </summary>
public abstract class FormerRow
{
    /// <summary>Priority lane; 0 goes first. Set before it arrives.</summary>
    public int Lane { get; set; }

    /// <summary>When its answer is of no use any more, as a timestamp; <see cref="long.MaxValue"/>: never. Set before it arrives.</summary>
    public long DeadlineTimestamp { get; set; } = long.MaxValue;

    /// <summary>How many rows of a batch it fills. May change until it is ready: only decoding may find out.</summary>
    public int Rows { get; set; } = 1;

    /// <summary>Whether the former has it: arrived, and neither taken into a batch nor dropped, removed or recalled.</summary>
    public bool IsWaiting => Stage != RowStage.Gone;

    internal RowStage Stage { get; set; }

    /// <summary>Its place in the order of arrival.</summary>
    internal long Sequence { get; set; }

    internal long ReadyTimestamp { get; set; }

    /// <summary>What it can share a batch with, by number; from the moment it is decoded.</summary>
    internal long ShapeKey { get; set; }

    /// <summary>The rows that it can share a batch with, while it is ready.</summary>
    internal ShapeClass? Shape { get; set; }

    /// <summary>The delayed batch that it belongs to, until that is complete.</summary>
    internal DelayedBatch? Delayed { get; set; }

    internal int PlaceInAll = -1;
    internal int PlaceInShape = -1;
    internal Links<FormerRow> ByArrival;
    internal Links<FormerRow> ByReadiness;
}

/// <summary>How far a row has come in the former.</summary>
internal enum RowStage
{
    Gone,

    /// <summary>Being decoded, or about to be.</summary>
    Arrived,

    /// <summary>Decoded; waits for the rest of its delayed batch.</summary>
    Held,

    /// <summary>May go into the next batch.</summary>
    Ready,
}
