#pragma warning disable CA1822, CS9113 // signatures first; the implementation follows
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;

namespace Serve.Core.Models;

/// <summary>Which models and versions exist and which version is the default; registers, scales and unregisters them.</summary>
/// <param name="configuration">The server's settings.</param>
/// <param name="time">The clock.</param>
/// <param name="loggers">Where it logs.</param>
public sealed class ModelRegistry(ServerConfiguration configuration, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable
{

    /// <summary>Names of all models, sorted.</summary>
    public IReadOnlyList<string> Names => throw new InvalidOperationException();

    /// <summary>What <c>/ping</c> says.</summary>
    public ServerHealth Health => throw new InvalidOperationException();

    /// <summary>The version that a request is for. Hot path.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <exception cref="Errors.ModelNotFoundException">No such model.</exception>
    /// <exception cref="Errors.ModelVersionNotFoundException">No such version.</exception>
    public ModelVersion Resolve(string model, string? version = null) => throw new InvalidOperationException();

    /// <summary>All versions of a model, in version order; the default is marked in its description.</summary>
    /// <param name="model">The model's name.</param>
    public IReadOnlyList<ModelVersion> Versions(string model) => throw new InvalidOperationException();

    /// <summary>Registers what the configuration's <c>loadModels</c> names. A model that fails is logged and Failed; the server starts all the same.</summary>
    /// <param name="cancellation">Stops the start.</param>
    public Task LoadAtStartupAsync(CancellationToken cancellation) => throw new InvalidOperationException();

    /// <summary>Registers a version and starts its workers.</summary>
    /// <param name="request">What to register.</param>
    /// <param name="cancellation">Stops waiting; the registration goes on.</param>
    /// <returns>The version, and whether its workers are ready.</returns>
    public Task<ModelVersion> RegisterAsync(RegistrationRequest request, CancellationToken cancellation) => throw new InvalidOperationException();

    /// <summary>Changes how many workers a version has.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <param name="minWorkers">The new minimum.</param>
    /// <param name="maxWorkers">The new maximum.</param>
    /// <param name="synchronous">Wait until the workers are there, and those too many have drained and left.</param>
    /// <param name="cancellation">Stops waiting; the scaling goes on.</param>
    public Task ScaleAsync(string model, string? version, int minWorkers, int maxWorkers, bool synchronous, CancellationToken cancellation) => throw new InvalidOperationException();

    /// <summary>Makes a version the default.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">The version.</param>
    public void SetDefault(string model, string version) => throw new InvalidOperationException();

    /// <summary>Drains and removes a version.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version, or null for the default.</param>
    /// <param name="cancellation">Stops waiting; the removal goes on.</param>
    public Task UnregisterAsync(string model, string? version, CancellationToken cancellation) => throw new InvalidOperationException();

    /// <summary>Refuses new requests, finishes those accepted within <c>drainTimeout</c>, then stops all workers.</summary>
    public ValueTask DisposeAsync() => throw new InvalidOperationException();
}
