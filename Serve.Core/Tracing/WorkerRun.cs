using Serve.Core.Protocol;

namespace Serve.Core.Tracing;

/// <summary>What a request did at the worker that answered it.</summary>
/// <param name="Sent">When it was handed to the worker, as a timestamp.</param>
/// <param name="Arrived">When its answer, or the last part of it, came.</param>
/// <param name="Times">Where the time went, by the worker's clock.</param>
internal sealed record WorkerRun(long Sent, long Arrived, OutputTimes Times);
