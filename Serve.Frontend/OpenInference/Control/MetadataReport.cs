using System.Reflection;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Frontend.OpenInference.Messages;
using TensorMetadata = Serve.Frontend.OpenInference.Messages.ModelMetadataResponse.Types.TensorMetadata;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>What the server and its models are.</summary>
internal sealed class MetadataReport(ServerConfiguration configuration, ModelRegistry registry, OpenInferenceModels models)
{
    /// <summary>What the platform of a model is called that ONNX Runtime executes.</summary>
    public const string OnnxPlatform = "onnxruntime_onnx";

    /// <summary>What the platform of a model is called that has nothing but a handler's code.</summary>
    public const string HandlerPlatform = "dotnet";

    private static readonly string Version = typeof(MetadataReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>The server's name, version, and the extensions that are there.</summary>
    public ServerMetadataResponse OfServer()
    {
        var server = new ServerMetadataResponse { Name = configuration.OpenInference.ServerName, Version = Version };
        server.Extensions.AddRange(["parameters"]);
        return server;
    }

    /// <summary>A model's inputs and outputs.</summary>
    /// <param name="model">The model's name.</param>
    /// <param name="version">A version: the answer lists this one alone; null: the default, and the answer lists all that are ready.</param>
    /// <exception cref="Core.Errors.ServeException">404, 503: it is not ready.</exception>
    public ModelMetadataResponse OfModel(string model, string? version)
    {
        var found = models.FindReady(model, version);
        var signature = found.Describe().Signature;
        var metadata = new ModelMetadataResponse { Name = found.Name, Platform = signature is null ? HandlerPlatform : OnnxPlatform };
        metadata.Versions.AddRange(version is null ? registry.Versions(model).Where(other => other.IsReady).Select(other => other.Version) : [found.Version]);
        metadata.Inputs.AddRange((signature?.Inputs ?? []).Select(Tensor));
        metadata.Outputs.AddRange((signature?.Outputs ?? []).Select(Tensor));
        return metadata;
    }

    private static TensorMetadata Tensor(TensorInfo tensor)
    {
        var metadata = new TensorMetadata { Name = tensor.Name, Datatype = Datatype(tensor.ElementType) };
        metadata.Shape.AddRange(tensor.Shape);
        return metadata;
    }

    private static string Datatype(TensorElement element) => element switch
    {
        TensorElement.Float16 => "FP16",
        TensorElement.BFloat16 => "BF16",
        TensorElement.Float32 => "FP32",
        TensorElement.Float64 => "FP64",
        TensorElement.String => "BYTES",
        _ => element.ToString().ToUpperInvariant(),
    };
}
