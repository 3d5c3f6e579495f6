namespace Serve.Core.Scheduling;

/// <summary>
/// A request as the scheduler sees it. All mutable members belong to the <see cref="Dispatcher"/> of its model version and
/// may only be touched under that version's lock. An object may be used again for another request once it is
/// <see cref="RequestPlace.Nowhere"/>: <see cref="Dispatcher.Admit"/> forgets what was before.
/// </summary>
public abstract class ScheduledRequest
{
    // One for each request of every model, so small: a byte in place of four.
    private byte _lane;

    /// <summary>Unique within the frontend's life; the request's name on the worker link. Set before it is admitted.</summary>
    public ulong Id { get; set; }

    /// <summary>Priority lane, 0 to 255; 0 is served first. Set before it is admitted.</summary>
    public int Lane
    {
        get => _lane;
        set => _lane = checked((byte)value);
    }

    /// <summary>When it arrived, as a timestamp of the <see cref="TimeProvider"/>. Set before it is admitted.</summary>
    public long ArrivalTimestamp { get; set; }

    /// <summary>When its answer is of no use any more, as a timestamp; <see cref="long.MaxValue"/>: never. Set before it is admitted.</summary>
    public long DeadlineTimestamp { get; set; } = long.MaxValue;

    /// <summary>How many rows of a batch it fills; 1 unless a protocol with several rows a request says otherwise. Set before it is admitted.</summary>
    public int Rows { get; set; } = 1;

    /// <summary>
    /// Whether a worker answers it beside its batches: it takes no time of the device, and neither its arrival nor its answer
    /// says anything about load or batches. Set before it is admitted.
    /// </summary>
    public bool IsAside { get; set; }

    /// <summary>Where the request is.</summary>
    public RequestPlace Place { get; internal set; }

    /// <summary>The worker that has it; null while it waits and after its end.</summary>
    public WorkerSlot? Worker { get; internal set; }

    /// <summary>
    /// Whether a part of its answer has reached the client. Such a request cannot be run again: when its worker is lost it
    /// is failed.
    /// </summary>
    public bool AnswerStarted { get; internal set; }

    /// <summary>
    /// Whether each part of its answer gives the next one as much time again: the deadline is the version's, not the
    /// client's own. Set before it is admitted.
    /// </summary>
    public bool PartsMoveDeadline { get; set; }

    /// <summary>
    /// Whether it is answered already (deadline) or nobody waits for it any more (client gone) while a worker still has it.
    /// Its rows stay accounted for until the worker is done with it, and then it is released instead of queued.
    /// </summary>
    public bool IsAbandoned { get; internal set; }

    /// <summary>When the batch that it is in began, as a timestamp; meaningful while <see cref="Place"/> is <see cref="RequestPlace.Begun"/>.</summary>
    public long BegunTimestamp { get; internal set; }

    /// <summary>How many workers died while it was suspected: in the batch that ran, or in a group that ran apart.</summary>
    public int Deaths { get; internal set; }

    /// <summary>How many workers died while they ran this request alone.</summary>
    public int SoloDeaths { get; internal set; }

    /// <summary>How many workers died while it only waited there.</summary>
    internal int BystanderDeaths { get; set; }

    /// <summary>Its place in line among all requests of the version: what goes back to the queue goes back to its old place.</summary>
    internal long Sequence { get; set; }

    /// <summary>The batch of its worker that it began with.</summary>
    internal long Batch { get; set; }

    /// <summary>The group that it is tried with, from the moment it is suspected until it is answered.</summary>
    internal SuspectGroup? Group { get; set; }

    /// <summary>Neighbours in the list, or subtrees in the lane, that <see cref="Place"/> names.</summary>
    internal ScheduledRequest? Previous { get; set; }

    /// <inheritdoc cref="Previous"/>
    internal ScheduledRequest? Next { get; set; }

    /// <summary>
    /// Its place in its lane: the deadline, but no later than the starvation limit after its arrival, so that others overtake
    /// a request for no longer than that.
    /// </summary>
    internal long OrderTimestamp { get; set; }

    /// <summary>Rows of the <see cref="RequestTree"/> below it, itself included; <see cref="Previous"/> and <see cref="Next"/> are its subtrees.</summary>
    internal int TreeRows { get; set; }

    /// <summary>The earliest arrival in the same.</summary>
    internal long TreeOldestArrival { get; set; }

    /// <summary>When its answer was predicted to come, as a timestamp; 0: nothing was predicted.</summary>
    internal long PredictedTimestamp { get; set; }

    /// <summary>Its place in the heap of deadlines; −1: not there.</summary>
    internal int DeadlineIndex = -1;

    internal void Admit(long sequence)
    {
        if (Place != RequestPlace.Nowhere) throw new InvalidOperationException($"Request {Id} is {Place} and cannot be admitted again.");
        ArgumentOutOfRangeException.ThrowIfLessThan(Rows, 1);

        Sequence = sequence;
        PredictedTimestamp = 0;
        Worker = null;
        Group = null;
        AnswerStarted = IsAbandoned = false;
        Deaths = SoloDeaths = BystanderDeaths = 0;
    }
}
