namespace Serve.Core.Scheduling;

/// <summary>A worker as the <see cref="Dispatcher"/> sees it: credit, and what it has outstanding. Only touched under the version's lock.</summary>
public sealed class WorkerSlot
{
    /// <summary>What the pool knows this worker by.</summary>
    public required object Owner { get; init; }

    /// <summary>Rows that may be outstanding at once.</summary>
    public int Credit { get; internal set; }

    /// <summary>Rows that are outstanding: sent, and neither answered nor returned.</summary>
    public int OutstandingRows => Sent.Rows + Begun.Rows;

    /// <summary>Requests that are outstanding.</summary>
    public int OutstandingRequests => Sent.Count + Begun.Count;

    /// <summary>Those of them that somebody still waits for.</summary>
    public int WantedRequests => Wanted(Sent) + Wanted(Begun);

    /// <summary>Rows that it has and that have not begun.</summary>
    public int UnbegunRows => Sent.Rows;

    /// <summary>Whether it is given nothing more.</summary>
    public bool IsDraining { get; internal set; }

    /// <summary>Whether it runs a group of suspects, and nothing else.</summary>
    public bool IsIsolating => Group is not null;

    /// <summary>
    /// When the oldest batch that it still runs began, or was last heard of, as a timestamp; <see cref="long.MaxValue"/>: it
    /// runs none. Against <c>responseTimeout</c>.
    /// </summary>
    public long OldestProgressTimestamp => Begun.First is { } oldest ? Math.Max(oldest.BegunTimestamp, ProgressOf(oldest.Batch)) : long.MaxValue;

    /// <summary>The outstanding request with this id; null: none, so what the worker says about it is void.</summary>
    public ScheduledRequest? Find(ulong id) => InFlight.GetValueOrDefault(id);

    /// <summary>What it has not begun, in the order of sending.</summary>
    internal RequestList Sent { get; } = new();

    /// <summary>What runs, in the order of beginning.</summary>
    internal RequestList Begun { get; } = new();

    /// <summary>Everything outstanding, by id.</summary>
    internal Dictionary<ulong, ScheduledRequest> InFlight { get; } = [];

    /// <summary>Batches that it has begun.</summary>
    internal long Batches { get; set; }

    /// <summary>Batches of which nothing has been answered yet.</summary>
    internal List<RunningBatch> Running { get; } = [];

    /// <summary>When batches that answer in parts were last heard of; those of the oldest and of later ones.</summary>
    internal List<(long Batch, long Timestamp)> Progress { get; } = [];

    /// <summary>Kept free of ordinary requests, because a group of suspects runs on it or waits for it to become idle.</summary>
    internal bool IsReserved { get; set; }

    /// <summary>The group of suspects that it runs.</summary>
    internal SuspectGroup? Group { get; set; }

    /// <summary>A Recall is on its way; the worker answers it with Returned.</summary>
    internal bool RecallPending { get; set; }

    /// <summary>Its last Recall brought nothing: it is not asked again before its next batch.</summary>
    internal bool RecallWasFutile { get; set; }

    internal bool IsIdle => InFlight.Count == 0;

    /// <summary>Whether it may be given ordinary requests.</summary>
    internal bool IsOrdinary => !IsDraining && !IsReserved && Credit > 0;

    /// <summary>A request is sent to it.</summary>
    internal void Take(ScheduledRequest request)
    {
        request.Place = RequestPlace.Sent;
        request.Worker = this;
        Sent.Append(request);
        InFlight.Add(request.Id, request);
    }

    /// <summary>A batch begins. Ids that it does not have, or has begun, are ignored.</summary>
    /// <returns>The rows of those that it has, without what it answers beside its batches.</returns>
    internal int Begin(ReadOnlySpan<ulong> ids, long now)
    {
        Batches++;
        RecallWasFutile = false;
        var rows = 0;
        foreach (var id in ids)
        {
            if (!InFlight.TryGetValue(id, out var request) || request.Place != RequestPlace.Sent) continue;
            Sent.Remove(request);
            Begun.Append(request);
            request.Place = RequestPlace.Begun;
            request.Batch = Batches;
            request.BegunTimestamp = now;
            if (!request.IsAside) rows += request.Rows;
        }

        if (rows > 0) Running.Add(new RunningBatch(Batches, now, rows));
        return rows;
    }

    /// <summary>It has a request no more: answered, returned, or lost with it.</summary>
    internal void Release(ScheduledRequest request)
    {
        (request.Place == RequestPlace.Begun ? Begun : Sent).Remove(request);
        InFlight.Remove(request.Id);
        request.Worker = null;
        request.Place = RequestPlace.Nowhere;
    }

    /// <summary>Whether no other request of its batch runs: requests of a batch that streams end one by one, and its slot of the device is free after the last.</summary>
    internal bool IsLastOfBatch(ScheduledRequest request)
    {
        for (var other = Begun.First; other is not null; other = other.Next)
        {
            if (other.Batch == request.Batch && other != request) return false;
        }

        return true;
    }

    /// <summary>A batch is not stuck: one of its requests had a part, or need not be answered any more.</summary>
    internal void NoteProgress(long batch, long now)
    {
        var oldest = Begun.First?.Batch ?? long.MaxValue;
        for (var i = Progress.Count - 1; i >= 0; i--)
        {
            if (Progress[i].Batch == batch || Progress[i].Batch < oldest) Progress.RemoveAt(i);
        }

        Progress.Add((batch, now));
    }

    private static int Wanted(RequestList requests)
    {
        var count = 0;
        for (var request = requests.First; request is not null; request = request.Next)
        {
            if (!request.IsAbandoned) count++;
        }

        return count;
    }

    private long ProgressOf(long batch)
    {
        foreach (var (number, timestamp) in Progress)
        {
            if (number == batch) return timestamp;
        }

        return 0;
    }

    /// <summary>A request with more rows than the credit may go to an idle worker: otherwise it could go nowhere.</summary>
    internal bool HasCreditFor(int rows) => Credit > 0 && (IsIdle || rows <= Credit - OutstandingRows);
}
