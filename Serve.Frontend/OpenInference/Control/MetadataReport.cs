using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Tensors;
using Serve.Frontend.OpenInference.Messages;
using TensorMetadata = Serve.Frontend.OpenInference.Messages.ModelMetadataResponse.Types.TensorMetadata;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>What the server and its models are.</summary>
internal sealed class MetadataReport(ServerConfiguration configuration, ModelRegistry registry, OpenInferenceModels models, bool hasSharedMemory)
{
    /// <summary>The server's name, version, and the extensions that are there.</summary>
    public ServerMetadataResponse OfServer()
    {
        var server = new ServerMetadataResponse { Name = configuration.OpenInference.ServerName, Version = ServeVersion.Text };
        server.Extensions.AddRange(["classification", "model_repository", "model_repository(unload_dependents)", "schedule_policy", "model_configuration", "binary_tensor_data", "parameters", "statistics", "logging"]);
        if (hasSharedMemory) server.Extensions.Add("system_shared_memory");
        return server;
    }

    /// <summary>A model's inputs and outputs.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version: the answer lists this one alone; null: the default, and the answer lists all that are ready.</param>
    /// <exception cref="Core.Errors.ServeException">404, 503: it is not ready.</exception>
    public ModelMetadataResponse OfModel(string model, string? version)
    {
        var found = models.FindReady(model, version);
        var signature = found.Signature;
        var metadata = new ModelMetadataResponse { Name = found.Name, Platform = PlatformOf(found.Describe()) };
        metadata.Versions.AddRange(version is null ? registry.Versions(model).Where(other => other.IsReady).Select(other => other.Version) : [found.Version]);
        metadata.Inputs.AddRange((signature?.Inputs ?? []).Select(Tensor));
        metadata.Outputs.AddRange((signature?.Outputs ?? []).Select(Tensor));
        return metadata;
    }

    private static TensorMetadata Tensor(TensorInfo tensor)
    {
        var metadata = new TensorMetadata { Name = tensor.Name, Datatype = tensor.ElementType.Datatype() };
        metadata.Shape.AddRange(tensor.Shape);
        return metadata;
    }

    /// <summary>What the platform of a version is called: ONNX Runtime's, or for one that has nothing but a handler's code <c>dotnet</c>.</summary>
    public static string PlatformOf(ModelDescription version) => HasModel(version) ? "onnxruntime_onnx" : "dotnet";

    /// <summary>What its backend is called.</summary>
    public static string BackendOf(ModelDescription version) => HasModel(version) ? "onnxruntime" : "dotnet";

    private static bool HasModel(ModelDescription version) => version.Configuration.ModelFile is not null;
}
