using Serve.Core.Errors;
using Serve.Core.Protocol;

namespace Serve.Core.Workers;

/// <summary>A worker answers one request with an error.</summary>
/// <param name="status">HTTP status.</param>
/// <param name="error">What it says.</param>
/// <param name="worker">The worker.</param>
internal sealed class WorkerFailedException(int status, ErrorMessage error, string worker) : ServeException(status, error.Type, error.Message)
{
    /// <summary>The worker.</summary>
    public string Worker { get; } = worker;

    /// <summary>What belongs into the log; null: nothing, the client is at fault.</summary>
    public string? Detail { get; } = error.Detail;
}
