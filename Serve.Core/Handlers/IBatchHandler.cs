namespace Serve.Core.Handlers;

/// <summary>
/// A handler that computes by itself, without an ONNX model of the server's: it is given the whole batch. For business
/// logic, other runtimes, and tests.
/// </summary>
public interface IBatchHandler : IDisposable
{
    /// <summary>
    /// Whether the handler may send answers in parts (<see cref="HandlerCall.SendPart"/>) or end calls before their batch
    /// (<see cref="HandlerCall.End"/>). Read once, after <see cref="Load"/>. False by default: batches of handlers that
    /// answer whole may run on a thread that cannot take in a cancellation meanwhile.
    /// </summary>
    bool Streams => false;

    /// <summary>Called once, before the worker is Ready. What it throws fails the load, with its message as the reason.</summary>
    /// <param name="context">The model's folder and configuration; its signature is null.</param>
    void Load(HandlerContext context);

    /// <summary>
    /// Answers every call of the batch: write to its response, or <see cref="HandlerCall.Fail"/> it. A call that is left
    /// untouched is answered with an empty body. An exception fails every call of the batch that has not failed already, also
    /// those whose response is written, because it may be written in part: 400 for a
    /// <see cref="Errors.BadRequestException"/>, 500 else. <c>instances</c> threads call this at once.
    /// </summary>
    /// <param name="batch">1 to <c>batchSize</c> calls; valid during the call.</param>
    /// <param name="cancellation">Cancelled when nobody waits for any of the batch's answers any more.</param>
    void Execute(IReadOnlyList<HandlerCall> batch, CancellationToken cancellation);
}
