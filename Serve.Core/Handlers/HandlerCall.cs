namespace Serve.Core.Handlers;

/// <summary>
/// One request of a batch and the response that belongs to it: an answer can never reach another client. A handler that
/// streams (<see cref="IBatchHandler.Streams"/>) sends parts of the answer and ends each call when it is done with it.
/// Several threads may work on different calls at once, but only one on the same.
/// </summary>
/// <param name="request">The request.</param>
/// <param name="response">Its response.</param>
/// <param name="sink">Where parts go; null: nowhere, for a handler that answers whole.</param>
public sealed class HandlerCall(HandlerRequest request, HandlerResponse response, ICallSink? sink = null)
{
    private CancellationTokenSource? _cancellation;
    private int _isCancelled;

    /// <summary>The request.</summary>
    public HandlerRequest Request { get; } = request;

    /// <summary>Its response.</summary>
    public HandlerResponse Response { get; } = response;

    /// <summary>Why the call failed; null while it has not.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Whether <see cref="End"/> was called.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>Whether nobody waits for the answer any more: the client has left, or the deadline has passed.</summary>
    public bool IsCancelled => Volatile.Read(ref _isCancelled) != 0;

    /// <summary>Whether a part could be sent without waiting for a client that reads slowly.</summary>
    public bool HasRoom => Sink.HasRoom(this);

    /// <summary>Cancelled when nobody waits for the answer any more. Made when it is first asked for; <see cref="IsCancelled"/> costs nothing.</summary>
    public CancellationToken Cancellation
    {
        get
        {
            var source = _cancellation;
            if (source is null)
            {
                var made = new CancellationTokenSource();
                source = Interlocked.CompareExchange(ref _cancellation, made, null) ?? made;

                // Cancelled in the moment in which there was no source yet. The exchange is a barrier, as the one in MarkCancelled.
                if (IsCancelled) source.Cancel();
            }

            return source.Token;
        }
    }

    private ICallSink Sink => sink ?? throw new InvalidOperationException("This call is answered whole: a handler that sends parts, or ends calls by themselves, says so (IBatchHandler.Streams).");

    /// <summary>Answers this call alone with an error: 400 for a <see cref="Errors.BadRequestException"/>, 500 else.</summary>
    /// <param name="error">Its message goes to the client if it is a <see cref="Errors.ServeException"/>.</param>
    /// <remarks>After parts were sent, the client sees its answer break off.</remarks>
    public void Fail(Exception error) => Error = error;

    /// <summary>
    /// Sends what is written to <see cref="Response"/> as the next part of the answer, which the client gets at once, and
    /// empties the body for the part after it. Status, content type and headers are those of the first part.
    /// </summary>
    /// <returns>
    /// Completes when the part is sent, which it is at once unless the client reads so slowly that 256 KiB of parts wait for
    /// it. False: nobody waits for the answer any more, or the call has failed; it is ended then.
    /// </returns>
    /// <exception cref="InvalidOperationException">The call was ended before, or the handler does not say that it streams.</exception>
    public ValueTask<bool> SendPartAsync()
    {
        if (IsEnded) return IsCancelled || Error is not null ? new(false) : throw new InvalidOperationException("A part after the end of the call.");
        if (!IsCancelled && Error is null) return Sink.SendPartAsync(this);
        End();
        return new(false);
    }

    /// <summary>As <see cref="SendPartAsync"/>, waiting for a slow client on this thread.</summary>
    /// <returns>False: nobody waits for the answer any more; the call is ended.</returns>
    public bool SendPart()
    {
        var sent = SendPartAsync();
        return sent.IsCompletedSuccessfully ? sent.Result : sent.AsTask().GetAwaiter().GetResult();
    }

    /// <summary>
    /// Ends the answer with what is written and not sent, or with the error, and gives the call's place to another request,
    /// although other calls of the batch go on. Without it a call ends with its batch. The request stays readable that long.
    /// </summary>
    /// <exception cref="InvalidOperationException">The handler does not say that it streams.</exception>
    public void End()
    {
        if (IsEnded) return;
        var sink = Sink;
        IsEnded = true;
        sink.End(this);
    }

    /// <summary>Tells the handler that nobody waits for the answer any more. The worker does so, and tests of handlers may.</summary>
    public void Cancel() => MarkCancelled()?.Cancel();

    /// <summary>As <see cref="Cancel"/>, in two steps, because the second may run a handler's code.</summary>
    /// <returns>What to cancel, without holding a lock; null: nobody has asked for a token.</returns>
    internal CancellationTokenSource? MarkCancelled()
    {
        Interlocked.Exchange(ref _isCancelled, 1);
        return _cancellation;
    }

    /// <summary>The batch is over: a thread of the handler's that still has the call cannot answer by it any more.</summary>
    internal void Retire() => IsEnded = true;

    /// <summary>Makes the pair ready for another request; the worker does so.</summary>
    internal void Reset()
    {
        Error = null;
        IsEnded = false;
        _isCancelled = 0;
        _cancellation = null; // it may be cancelled at any later time: it must not reach the next request
    }
}
