namespace Serve.Core.Scheduling;

/// <summary>
/// Finds the request that kills workers. The requests of a batch that died are split into two groups; each group runs on a
/// worker that has nothing else outstanding and is given nothing else meanwhile. A group that dies is split again; a request
/// that dies alone is tried again, and fails when <c>maxSoloDeaths</c> workers died of it alone. So the one culprit in a batch
/// of n is found in about log₂(n) + 3 deaths, its neighbours succeed, and a worker that was killed by somebody else costs
/// its requests nothing but the time to run again.
/// </summary>
/// <remarks>
/// Healthy traffic goes on beside it: while ordinary requests wait, at most one worker is kept for suspects; where there is
/// only one worker, groups and ordinary requests take turns. Part of the <see cref="Dispatcher"/>, under the same lock.
/// </remarks>
/// <param name="workers">All workers.</param>
/// <param name="batchSize">The most rows of a batch.</param>
/// <param name="maxSoloDeaths">At how many deaths alone a request fails.</param>
internal sealed class Quarantine(List<WorkerSlot> workers, int batchSize, int maxSoloDeaths)
{
    /// <summary>Isolated deaths in a row, without an answer in between, beyond which no single request explains them.</summary>
    private readonly int _maxExplainedDeaths = 2 * maxSoloDeaths;

    private readonly List<SuspectGroup> _groups = [];
    private int _deathsSinceAnswer;

    /// <summary>Requests that wait here.</summary>
    public int Requests { get; private set; }

    public bool HasWaiting => _groups.Count > 0;

    /// <summary>Who waits first; null: nobody.</summary>
    public ScheduledRequest? First => _groups.Count == 0 ? null : _groups[0].Waiting.First;

    /// <summary>The last worker's last turn was a group's: ordinary requests go first now.</summary>
    public bool IsOrdinaryTurn { get; private set; }

    /// <summary>Ordinary requests had their turn.</summary>
    public void EndOrdinaryTurn() => IsOrdinaryTurn = false;

    /// <summary>A worker answered: workers can live.</summary>
    public void Answered() => _deathsSinceAnswer = 0;

    /// <summary>
    /// Names an idle worker for the next group, which <see cref="Start"/> then hands over; or reserves a busy one, so that it
    /// becomes idle, and returns null.
    /// </summary>
    public WorkerSlot? FindWorker(bool ordinaryWaits)
    {
        var usable = 0;
        var reserved = 0;
        WorkerSlot? best = null;
        foreach (var worker in workers)
        {
            if (worker.IsDraining || worker.Credit <= 0) continue;
            usable++;
            if (worker.IsReserved) reserved++;
            if (worker.IsReserved && !worker.IsIsolating && worker.IsIdle) return worker;
            if (!worker.IsReserved && (best is null || worker.OutstandingRows < best.OutstandingRows)) best = worker;
        }

        var mayReserve = ordinaryWaits ? 1 : Math.Max(1, usable - 1);
        if (best is null || reserved >= mayReserve) return null;
        if (usable == 1 && ordinaryWaits && IsOrdinaryTurn) return null;
        if (!best.IsIdle && reserved > 0) return null;

        best.IsReserved = true;
        return best.IsIdle ? best : null;
    }

    /// <summary>Gives the next group to a worker. The caller sends its members.</summary>
    public SuspectGroup Start(WorkerSlot worker)
    {
        var group = _groups[0];
        _groups.RemoveAt(0);
        worker.IsReserved = true;
        worker.Group = group;
        while (group.Waiting.Rows > worker.Credit && group.Waiting.Count > 1) SplitOff(group);
        EndReservations();
        return group;
    }

    /// <summary>Takes a waiting member out of the group that is being started.</summary>
    public void Take(ScheduledRequest request)
    {
        request.Group!.Waiting.Remove(request);
        request.Group.Running++;
        Requests--;
    }

    /// <summary>The worker is done with a member: answered, returned or given up.</summary>
    public void Finish(WorkerSlot worker, ScheduledRequest request, bool returned)
    {
        if (request.Group is not { } group) return;

        group.Running--;
        if (returned) Wait(group, request);
        else request.Group = null;

        if (group.Running > 0 || worker.Group != group) return;
        worker.Group = null;
        worker.IsReserved = false;
        IsOrdinaryTurn = true;
        if (group.Waiting.Count > 0) _groups.Insert(0, group);
    }

    /// <summary>A waiting member leaves: client gone, or too late.</summary>
    public void Remove(ScheduledRequest request)
    {
        var group = request.Group!;
        group.Waiting.Remove(request);
        request.Group = null;
        request.Place = RequestPlace.Nowhere;
        Requests--;
        if (group.Waiting.Count == 0) _groups.Remove(group);
        EndReservations();
    }

    /// <summary>When no group waits any more, workers that were to become idle for one are ordinary again.</summary>
    private void EndReservations()
    {
        if (HasWaiting) return;
        foreach (var worker in workers)
        {
            if (!worker.IsIsolating) worker.IsReserved = false;
        }
    }

    /// <summary>A worker died while it ran these, and they are suspected for the first time. Takes them over.</summary>
    public void Suspect(List<ScheduledRequest> suspects, bool alone, List<ScheduledRequest> failed)
    {
        foreach (var request in suspects)
        {
            request.Deaths++;
            if (alone) request.SoloDeaths++;
        }

        if (suspects is [var only] && only.SoloDeaths >= maxSoloDeaths) failed.Add(only);
        else Split(suspects);
    }

    /// <summary>A group died with its worker: what was left of it is split further. Takes over <paramref name="unfinished"/>.</summary>
    /// <returns>Whether a bad request explains the death, so that it says nothing about the model.</returns>
    public bool GroupDied(WorkerSlot worker, List<ScheduledRequest> unfinished, bool alone, List<ScheduledRequest> failed)
    {
        PutGroupBack(worker.Group!);
        worker.Group = null;
        Suspect(unfinished, alone, failed);
        IsOrdinaryTurn = true;
        return ++_deathsSinceAnswer <= _maxExplainedDeaths;
    }

    /// <summary>A group's worker was stopped: the group has not been tried. Takes over <paramref name="unfinished"/>.</summary>
    public void GroupStopped(WorkerSlot worker, List<ScheduledRequest> unfinished)
    {
        var group = worker.Group!;
        worker.Group = null;
        foreach (var request in unfinished) Wait(group, request);
        PutGroupBack(group);
    }

    /// <summary>Members that a worker gave back before it was lost.</summary>
    private void PutGroupBack(SuspectGroup group)
    {
        group.Running = 0;
        if (group.Waiting.Count > 0) _groups.Insert(0, group);
    }

    /// <summary>Halves, smaller where a half does not fit into a batch. To the end of the line: every group has its turn.</summary>
    private void Split(List<ScheduledRequest> suspects)
    {
        if (suspects.Count == 0) return;

        suspects.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));
        var half = (suspects.Count + 1) / 2;
        AddGroup(suspects, 0, half);
        AddGroup(suspects, half, suspects.Count);
    }

    private void AddGroup(List<ScheduledRequest> suspects, int from, int to)
    {
        if (from == to) return;

        var group = new SuspectGroup();
        for (var i = from; i < to; i++) Wait(group, suspects[i]);
        _groups.Add(group);
        while (group.Waiting.Rows > batchSize && group.Waiting.Count > 1) SplitOff(group);
    }

    /// <summary>Makes the second half of a group a group of its own, next in line behind it.</summary>
    private void SplitOff(SuspectGroup group)
    {
        var other = new SuspectGroup();
        for (var n = group.Waiting.Count / 2; n > 0; n--)
        {
            var request = group.Waiting.Last!;
            group.Waiting.Remove(request);
            other.Waiting.InsertInOrder(request);
            request.Group = other;
        }

        _groups.Insert(_groups.IndexOf(group) + 1, other);
        while (other.Waiting.Rows > batchSize && other.Waiting.Count > 1) SplitOff(other);
    }

    private void Wait(SuspectGroup group, ScheduledRequest request)
    {
        request.Group = group;
        request.Place = RequestPlace.Quarantined;
        group.Waiting.InsertInOrder(request);
        Requests++;
    }
}
