namespace Serve.Core.Observability;

/// <summary>What all requests of a version have spent in some stages since it was registered; only ever grows.</summary>
/// <param name="Requests">Requests that were answered by a worker.</param>
/// <param name="Waiting">Seconds in which they waited: in the queue, for decoding, for their batch.</param>
/// <param name="Transfer">Seconds on the way to the workers and back.</param>
/// <param name="Handler">Seconds of decoding, executing and postprocessing.</param>
/// <param name="AtWorker">Seconds from the arrival at the worker until its answer.</param>
/// <param name="All">Seconds from the queue to the answer.</param>
public readonly record struct StageTotals(long Requests, double Waiting, double Transfer, double Handler, double AtWorker, double All)
{
    /// <summary>What happened between two readings.</summary>
    /// <param name="later">The later one.</param>
    /// <param name="earlier">The earlier one.</param>
    public static StageTotals operator -(in StageTotals later, in StageTotals earlier) => new(
        later.Requests - earlier.Requests, later.Waiting - earlier.Waiting, later.Transfer - earlier.Transfer,
        later.Handler - earlier.Handler, later.AtWorker - earlier.AtWorker, later.All - earlier.All);

    /// <summary>What two versions have spent.</summary>
    /// <param name="a">One.</param>
    /// <param name="b">The other.</param>
    public static StageTotals operator +(in StageTotals a, in StageTotals b) => new(
        a.Requests + b.Requests, a.Waiting + b.Waiting, a.Transfer + b.Transfer, a.Handler + b.Handler, a.AtWorker + b.AtWorker, a.All + b.All);
}
