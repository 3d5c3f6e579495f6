#pragma warning disable CA1822 // signatures first; the implementation follows
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Core.Protocol;

namespace Serve.Core.Models;

/// <summary>One registered version of a model: its queue, its workers, its state.</summary>
public sealed class ModelVersion
{
    /// <summary>The model's name.</summary>
    public string Name => throw new InvalidOperationException();

    /// <summary>The version.</summary>
    public string Version => throw new InvalidOperationException();

    /// <summary>Configuration in force.</summary>
    public ModelConfiguration Configuration => throw new InvalidOperationException();

    /// <summary>Its instruments; transports tell them what they accept and answer.</summary>
    public ModelMetrics Metrics => throw new InvalidOperationException();

    /// <summary>Whether at least one worker is ready.</summary>
    public bool IsReady => throw new InvalidOperationException();

    /// <summary>The version as it is now.</summary>
    public ModelDescription Describe() => throw new InvalidOperationException();

    /// <summary>
    /// Runs one request. Takes over <paramref name="payload"/> and releases it, whatever happens.
    /// </summary>
    /// <param name="payload">Headers, parts and body.</param>
    /// <param name="options">Priority and timeout, if the client named them.</param>
    /// <param name="clientGone">Cancelled when the client has left: the request leaves the queue, or its row is freed.</param>
    /// <returns>The answer; dispose it when it is written.</returns>
    /// <exception cref="Errors.ServeException">
    /// The answer is an error: 400 (the handler refuses the request), 500, 503 (queue full, no worker, draining), 504.
    /// </exception>
    /// <exception cref="OperationCanceledException"><paramref name="clientGone"/> was cancelled first.</exception>
    public ValueTask<InferenceResponse> InferAsync(RequestPayload payload, in InferenceOptions options, CancellationToken clientGone) => throw new InvalidOperationException();
}
