namespace Serve.Core.Handlers;

/// <summary>Where the parts of a call's answer go: in a worker to the client, in a test of a handler wherever the test wants them.</summary>
public interface ICallSink
{
    /// <summary>Takes the response as it is now as the next part, and empties its body.</summary>
    /// <param name="call">The call; it has not ended.</param>
    /// <returns>Completes when the handler may make the next part: at once, unless the client reads slowly. False: nobody waits for it any more.</returns>
    ValueTask<bool> SendPartAsync(HandlerCall call);

    /// <summary>Whether a part could be taken at once.</summary>
    /// <param name="call">The call.</param>
    bool HasRoom(HandlerCall call);

    /// <summary>Takes what is left of the response, or the call's error, as the end of the answer.</summary>
    /// <param name="call">The call, which has just ended.</param>
    void End(HandlerCall call);
}
