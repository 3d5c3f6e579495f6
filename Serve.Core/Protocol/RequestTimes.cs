namespace Serve.Core.Protocol;

/// <summary>Where one request's time went, for a client that asks to be told. Made only for such; its owner is the request, then its answer.</summary>
/// <param name="read">How long its body took to arrive.</param>
public sealed class RequestTimes(TimeSpan read)
{
    /// <summary>How long its body took to arrive.</summary>
    public TimeSpan Read => read;

    /// <summary>In the queue.</summary>
    public TimeSpan Queue { get; private set; }

    /// <summary>On the way to the worker and back.</summary>
    public TimeSpan Transfer { get; private set; }

    /// <summary>At the worker.</summary>
    public OutputTimes Worker { get; private set; }

    /// <summary>Its answer came from a worker.</summary>
    internal void Answered(TimeSpan queue, TimeSpan transfer, in OutputTimes worker) => (Queue, Transfer, Worker) = (queue, transfer, worker);
}
