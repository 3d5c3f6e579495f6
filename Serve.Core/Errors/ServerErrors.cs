namespace Serve.Core.Errors;

/// <summary>500: the server or a handler failed; the message says what, never a stack trace.</summary>
/// <param name="message">For people.</param>
/// <param name="inner">The cause, for the log.</param>
public class InternalServerException(string message, Exception? inner = null)
    : ServeException(500, "InternalServerException", message, inner);

/// <summary>500: this request, run alone, kills every worker that it is given to.</summary>
/// <param name="message">How often and how the workers died.</param>
public sealed class WorkerDiedException(string message)
    : ServeException(500, "InternalServerException", message);

/// <summary>501: a protocol has it, and this server has not, or it is switched off.</summary>
/// <param name="message">What is not there, and what switches it on where something does.</param>
public sealed class NotAvailableException(string message)
    : ServeException(501, "NotAvailableException", message);

/// <summary>503: not now. Carries <see cref="ServeException.RetryAfter"/>.</summary>
public sealed class ServiceUnavailableException : ServeException
{
    /// <summary>Says which resource is short and when to come back.</summary>
    /// <param name="message">Which: no worker ready, queue full, circuit open, draining.</param>
    /// <param name="retryAfter">When it is worth trying again; at least a second on the wire.</param>
    public ServiceUnavailableException(string message, TimeSpan retryAfter)
        : base(503, "ServiceUnavailableException", message) => RetryAfter = retryAfter;
}

/// <summary>504: the answer did not come in time: the request's deadline or the model's <c>responseTimeout</c>.</summary>
/// <param name="message">Which timeout, and its value.</param>
public sealed class ResponseTimeoutException(string message)
    : ServeException(504, "ResponseTimeoutException", message);

/// <summary>507: the device or the host ran out of memory.</summary>
/// <param name="message">What could not be allocated.</param>
/// <param name="inner">The cause, for the log.</param>
public sealed class OutOfResourcesException(string message, Exception? inner = null)
    : ServeException(507, "InternalServerException", message, inner);
