namespace Serve.Core.Errors;

/// <summary>
/// An error that a client is told about. Every transport maps it in one place: REST to <see cref="Status"/> and the JSON
/// <c>{"code", "type", "message"}</c> of TorchServe, gRPC to the code that belongs to the status.
/// </summary>
/// <param name="status">HTTP status code, 400 to 599.</param>
/// <param name="type">TorchServe's exception name for this error, for example <c>ModelNotFoundException</c>.</param>
/// <param name="message">For people: what was wrong, the value, and what would be right.</param>
/// <param name="inner">The cause, for the log; never shown to a client.</param>
public class ServeException(int status, string type, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>HTTP status code, 400 to 599.</summary>
    public int Status { get; } = status;

    /// <summary>TorchServe's exception name for this error (section 1.4 of its API as this project documents it).</summary>
    public string Type { get; } = type;

    /// <summary>How long a client should wait before it tries again; null where trying again is no use.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
