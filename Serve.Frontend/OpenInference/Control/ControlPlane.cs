using Microsoft.AspNetCore.Http;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;
using Serve.Frontend.Inference;
using Serve.Frontend.OpenInference.SharedMemory;
using Serve.Frontend.Tracing;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>Everything of the Open Inference Protocol that runs no model, the same objects for REST and for gRPC.</summary>
internal sealed class ControlPlane
{
    /// <param name="configuration">The server's.</param>
    /// <param name="registry">What is served.</param>
    /// <param name="loading">Whether models may still come.</param>
    /// <param name="shutdown">Whether the server stops.</param>
    /// <param name="level">How much is logged.</param>
    /// <param name="tracing">What is traced; null: nothing.</param>
    public ControlPlane(ServerConfiguration configuration, ModelRegistry registry, ModelLoading loading, Shutdown shutdown, LogLevelSwitch level, ServerTracing? tracing)
    {
        Models = new OpenInferenceModels(new ModelLookup(registry, loading));
        Health = new Readiness(registry, new Ping(registry, loading, shutdown), shutdown);
        Configurations = new ModelConfigReport(Models);
        Statistics = new StatisticsReport(registry, Models);
        Log = new LogSettings(level);
        Trace = new TraceSettings(Models, tracing?.Sampler);
        SharedMemory = new SharedMemoryRegions(configuration.OpenInference.SharedMemory);
        Metadata = new MetadataReport(configuration, registry, Models, SharedMemory.IsEnabled);
        Repository = new RepositoryControl(registry, loading);
        AllowsModelControlOverGrpc = Exposure.AllowsModelControl(configuration, configuration.GrpcInferenceAddress);
        AllowsSettingsOverGrpc = Exposure.AllowsChanges(configuration, configuration.GrpcInferenceAddress);
        AllowsSettingsOverRest = Exposure.AllowsChanges(configuration, configuration.InferenceAddress);
        RestRepository = new RepositoryRoutes(Repository, Exposure.AllowsModelControl(configuration, configuration.InferenceAddress), configuration.MaxRequestSize);
    }

    /// <summary>Finds versions.</summary>
    public OpenInferenceModels Models { get; }

    /// <summary>What takes requests.</summary>
    public Readiness Health { get; }

    /// <summary>What the server and its models are.</summary>
    public MetadataReport Metadata { get; }

    /// <summary>How models are served.</summary>
    public ModelConfigReport Configurations { get; }

    /// <summary>What models have done.</summary>
    public StatisticsReport Statistics { get; }

    /// <summary>What is logged.</summary>
    public LogSettings Log { get; }

    /// <summary>What is traced.</summary>
    public TraceSettings Trace { get; }

    /// <summary>Where tensors may be, besides in requests and answers.</summary>
    public SharedMemoryRegions SharedMemory { get; }

    /// <summary>What is loaded.</summary>
    public RepositoryControl Repository { get; }

    /// <summary>The same over REST.</summary>
    public RepositoryRoutes RestRepository { get; }

    /// <summary>Whether models may be loaded and unloaded over gRPC.</summary>
    public bool AllowsModelControlOverGrpc { get; }

    /// <summary>Whether the settings of log and tracing may be changed over gRPC.</summary>
    public bool AllowsSettingsOverGrpc { get; }

    /// <summary>The same over REST.</summary>
    public bool AllowsSettingsOverRest { get; }

    /// <summary>Refuses changes of settings where the interface may make none.</summary>
    /// <exception cref="ServeException">403.</exception>
    public static void RequireSettings(bool isAllowed)
    {
        if (!isAllowed) throw new ServeException(StatusCodes.Status403Forbidden, "ForbiddenException", "Settings are not changed here: other machines, or clients with tokens for inference, reach this address, and no tokens for management are configured");
    }
}
