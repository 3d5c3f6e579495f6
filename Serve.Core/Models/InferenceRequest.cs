using System.Threading.Tasks.Sources;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;

namespace Serve.Core.Models;

/// <summary>
/// One request on its way: what the scheduler orders, and the promise of its answer. It is answered exactly once; who comes
/// second (a worker's answer after the deadline, a client that leaves) finds it answered.
/// </summary>
internal sealed class InferenceRequest : ScheduledRequest, IValueTaskSource<InferenceResponse>
{
    private ManualResetValueTaskSourceCore<InferenceResponse> _answer;
    private CancellationTokenRegistration _clientGone;
    private int _isAnswered;

    public InferenceRequest(RequestPayload payload) => Payload = payload;

    /// <summary>Headers, parts and body; held until no worker can need them any more.</summary>
    public RequestPayload Payload { get; }

    /// <summary>When it was last handed to a worker.</summary>
    public long SentTimestamp { get; set; }

    /// <summary>What follows the first part of an answer in parts; set under the version's lock when that part arrives.</summary>
    public AnswerParts? Parts { get; set; }

    // Answered, and nothing more is to come.
    private bool IsOver => Volatile.Read(ref _isAnswered) != 0 && Parts is null or { IsEnded: true };

    public ValueTask<InferenceResponse> Answer => new(this, _answer.Version);

    /// <summary>Calls back when the client leaves. After the request was admitted; its answer may have come meanwhile.</summary>
    public void WatchClient(Action<object?> left, CancellationToken clientGone)
    {
        _clientGone = clientGone.UnsafeRegister(left, this);
        Interlocked.MemoryBarrier();
        if (IsOver) _clientGone.Unregister();
    }

    /// <summary>
    /// Answers with a result, or with the first part of one, and has what waits for it go on on this thread; the response is
    /// disposed if the request was answered before. The caller holds no lock.
    /// </summary>
    public bool TryComplete(InferenceResponse response)
    {
        if (Interlocked.Exchange(ref _isAnswered, 1) != 0)
        {
            response.Dispose();
            return false;
        }

        if (response.Parts is null) _clientGone.Unregister();
        _answer.RunContinuationsAsynchronously = false;
        _answer.SetResult(response);
        return true;
    }

    /// <summary>
    /// Answers with an error, or ends an answer in parts with it. What waits for it goes on elsewhere, so the caller may hold
    /// locks.
    /// </summary>
    /// <returns>False: the answer was over before.</returns>
    public bool TryFail(Exception error)
    {
        if (Interlocked.Exchange(ref _isAnswered, 1) != 0) return Parts is { } parts && TryEnd(parts, error);
        Parts?.TryEnd(error);
        _clientGone.Unregister();
        _answer.RunContinuationsAsynchronously = true;
        _answer.SetException(error);
        return true;
    }

    /// <summary>Ends an answer in parts.</summary>
    /// <returns>False: it was over before.</returns>
    public bool TryEnd(AnswerParts parts, Exception? error)
    {
        if (!parts.TryEnd(error)) return false;
        _clientGone.Unregister();
        return true;
    }

    InferenceResponse IValueTaskSource<InferenceResponse>.GetResult(short token) => _answer.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<InferenceResponse>.GetStatus(short token) => _answer.GetStatus(token);

    void IValueTaskSource<InferenceResponse>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answer.OnCompleted(continuation, state, token, flags);
}
