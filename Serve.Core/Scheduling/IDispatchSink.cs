namespace Serve.Core.Scheduling;

/// <summary>
/// What the <see cref="Dispatcher"/> decides, carried out. Called under the version's lock; must not block, must not throw
/// and must not call the dispatcher back.
/// </summary>
public interface IDispatchSink
{
    /// <summary>Hands a request to a worker.</summary>
    /// <param name="worker">The worker, with credit for it.</param>
    /// <param name="request">The request; it is <see cref="RequestPlace.Sent"/> now.</param>
    /// <param name="more">Another request of the same batch follows at once (delayed batching): the worker waits for it.</param>
    void Send(WorkerSlot worker, ScheduledRequest request, bool more);

    /// <summary>Asks a worker to give back rows that it has not begun; it answers with a Returned frame.</summary>
    /// <param name="worker">The worker.</param>
    /// <param name="rows">How many rows at most.</param>
    void Recall(WorkerSlot worker, int rows);

    /// <summary>
    /// A worker is done with a request that was abandoned earlier (<see cref="ScheduledRequest.IsAbandoned"/>): the scheduler
    /// does not refer to it any more, and its memory may be used again.
    /// </summary>
    /// <param name="request">The request; it is <see cref="RequestPlace.Nowhere"/> now.</param>
    void Released(ScheduledRequest request)
    {
    }
}
