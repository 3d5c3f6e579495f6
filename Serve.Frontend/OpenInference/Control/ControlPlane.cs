using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Hosting;
using Serve.Frontend.Inference;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>Everything of the Open Inference Protocol that runs no model, the same objects for REST and for gRPC.</summary>
internal sealed class ControlPlane
{
    /// <param name="configuration">The server's.</param>
    /// <param name="registry">What is served.</param>
    /// <param name="loading">Whether models may still come.</param>
    /// <param name="shutdown">Whether the server stops.</param>
    public ControlPlane(ServerConfiguration configuration, ModelRegistry registry, ModelLoading loading, Shutdown shutdown)
    {
        Models = new OpenInferenceModels(new ModelLookup(registry, loading));
        Health = new Readiness(registry, new Ping(registry, loading, shutdown), shutdown);
        Metadata = new MetadataReport(configuration, registry, Models);
    }

    /// <summary>Finds versions.</summary>
    public OpenInferenceModels Models { get; }

    /// <summary>What takes requests.</summary>
    public Readiness Health { get; }

    /// <summary>What the server and its models are.</summary>
    public MetadataReport Metadata { get; }
}
