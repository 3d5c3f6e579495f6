namespace Serve.Core.Handlers;

/// <summary>One request of a batch and the response that belongs to it: an answer can never reach another client.</summary>
/// <param name="request">The request.</param>
/// <param name="response">Its response.</param>
public sealed class HandlerCall(HandlerRequest request, HandlerResponse response)
{
    /// <summary>The request.</summary>
    public HandlerRequest Request { get; } = request;

    /// <summary>Its response.</summary>
    public HandlerResponse Response { get; } = response;

    /// <summary>Why the call failed; null while it has not.</summary>
    public Exception? Error { get; private set; }

    /// <summary>Answers this call alone with an error: 400 for a <see cref="Errors.BadRequestException"/>, 500 else.</summary>
    /// <param name="error">Its message goes to the client if it is a <see cref="Errors.ServeException"/>.</param>
    public void Fail(Exception error) => Error = error;

    /// <summary>Makes the pair ready for another request; the worker does so.</summary>
    internal void Reset() => Error = null;
}
