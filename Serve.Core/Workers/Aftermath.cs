using Serve.Core.Models;
using Serve.Core.Scheduling;

namespace Serve.Core.Workers;

/// <summary>What a turn under the lock of an <see cref="InferenceScheduler"/> leaves to do; what the turn answers comes between the two.</summary>
/// <param name="Frames">To send first.</param>
/// <param name="Refused">Those that waited, and nobody is there who would take them; null: none.</param>
/// <param name="Idle">Who waits for nothing to be left; null: nobody, or something is.</param>
internal readonly record struct Aftermath(GatheredFrames Frames, RefusedRequests? Refused, TaskCompletionSource? Idle)
{
    /// <summary>All of it.</summary>
    public void Run()
    {
        Frames.Flush(evenIfBusy: true);
        End();
    }

    /// <summary>What comes after the frames.</summary>
    public void End()
    {
        Refused?.Answer();
        Idle?.TrySetResult();
    }
}

/// <summary>Requests that nobody is there for, taken out of the line.</summary>
/// <param name="requests">They.</param>
/// <param name="refusal">Makes the error of each.</param>
internal sealed class RefusedRequests(List<ScheduledRequest> requests, Func<Exception> refusal)
{
    /// <summary>Answers them.</summary>
    public void Answer()
    {
        foreach (InferenceRequest request in requests)
        {
            request.TryFail(refusal());
            request.Payload.Release();
        }
    }
}
