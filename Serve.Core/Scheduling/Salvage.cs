namespace Serve.Core.Scheduling;

/// <summary>
/// What becomes of the requests that a lost worker had: those that can run again go back to their place in line, those that
/// may have killed it to the quarantine, and the others fail. Part of the <see cref="Dispatcher"/>, under the same lock.
/// </summary>
/// <param name="queue">Who waits in line.</param>
/// <param name="quarantine">The suspects.</param>
/// <param name="maxBystanderDeaths">At how many deaths a request may only have been present.</param>
/// <param name="sink">Told of those that nobody waits for any more.</param>
internal sealed class Salvage(LaneQueue queue, Quarantine quarantine, int maxBystanderDeaths, IDispatchSink sink)
{
    private readonly List<ScheduledRequest> _suspects = [];

    /// <summary>Empties a lost worker, and sorts what it had.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="reason">Why it is lost.</param>
    /// <param name="failed">Receives the requests that are not run again.</param>
    /// <param name="now">The time.</param>
    /// <returns>Whether suspected requests ran alone on it and explain its death.</returns>
    public bool From(WorkerSlot worker, WorkerLossReason reason, List<ScheduledRequest> failed, long now)
    {
        var firstFailed = failed.Count;
        var group = worker.Group;
        var alone = worker.OutstandingRequests == 1;
        var oldestBatch = worker.Begun.First?.Batch;
        while ((worker.Begun.First ?? worker.Sent.First) is { } request)
        {
            var begun = request.Place == RequestPlace.Begun;
            worker.Release(request);
            if (request.IsAbandoned)
            {
                request.Group = null;
                sink.Released(request);
            }
            else if (request.AnswerStarted || (reason == WorkerLossReason.TimedOut && begun && request.Batch == oldestBatch))
            {
                failed.Add(request);
            }
            else if (group is not null || (reason == WorkerLossReason.Crashed && IsSuspect(request, begun)))
            {
                _suspects.Add(request);
            }
            else
            {
                queue.Add(request, now);
            }
        }

        var explained = false;
        if (group is null) quarantine.Suspect(_suspects, alone, failed);
        else if (reason == WorkerLossReason.Crashed) explained = quarantine.GroupDied(worker, _suspects, alone, failed);
        else quarantine.GroupStopped(worker, _suspects);

        for (var i = firstFailed; i < failed.Count; i++) failed[i].Group = null;
        _suspects.Clear();
        return explained;
    }

    /// <summary>What was running is suspected; what only waited is not, unless it was there at too many deaths.</summary>
    private bool IsSuspect(ScheduledRequest request, bool begun) => begun || ++request.BystanderDeaths >= maxBystanderDeaths;
}
