using System.Globalization;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>A version's configuration in force, in the protocol's words. What it says can be given to a load (config override) as it is.</summary>
internal sealed class ModelConfigReport(OpenInferenceModels models)
{
    /// <summary>The configuration of a version.</summary>
    /// <exception cref="Core.Errors.ServeException">404, 503: not ready.</exception>
    public ModelConfig Of(string model, string? version)
    {
        var found = models.FindReady(model, version);
        var described = found.Describe();
        var (settings, signature) = (described.Configuration, found.Signature);
        var isBatched = signature is { Batching: RowBatching.Dynamic };
        var config = new ModelConfig
        {
            Name = found.Name,
            Platform = MetadataReport.PlatformOf(described),
            Backend = MetadataReport.BackendOf(described),
            VersionPolicy = new ModelVersionPolicy { Latest = new() { NumVersions = 1 } },
            MaxBatchSize = isBatched ? settings.BatchSize : 0,
            DefaultModelFilename = settings.ModelFile ?? "",
            ResponseCache = new ModelResponseCache { Enable = settings.ResponseCache.Enabled },
            ModelTransactionPolicy = new ModelTransactionPolicy { Decoupled = found.IsDecoupled },
        };
        config.Input.AddRange((signature?.Inputs ?? []).Select(tensor => Input(tensor, isBatched)));
        config.Output.AddRange((signature?.Outputs ?? []).Select(tensor => Output(tensor, isBatched, signature!.Outputs.Count == 1 ? settings.LabelFile : null)));
        config.InstanceGroup.Add(Instances(found.Name, settings));
        if (isBatched) config.DynamicBatching = Batching(settings, described.QueueLimit);
        foreach (var (key, value) in Parameters(settings)) config.Parameters[key] = new ModelParameter { StringValue = value };
        return config;
    }

    private static ModelInput Input(TensorInfo tensor, bool isBatched)
    {
        var input = new ModelInput { Name = tensor.Name, DataType = TypeOf(tensor.ElementType) };
        input.Dims.AddRange(tensor.Shape.Skip(isBatched ? 1 : 0));
        return input;
    }

    private static ModelOutput Output(TensorInfo tensor, bool isBatched, string? labels)
    {
        var output = new ModelOutput { Name = tensor.Name, DataType = TypeOf(tensor.ElementType), LabelFilename = labels ?? "" };
        output.Dims.AddRange(tensor.Shape.Skip(isBatched ? 1 : 0));
        return output;
    }

    private static ModelInstanceGroup Instances(string model, ModelConfiguration settings)
    {
        var group = new ModelInstanceGroup
        {
            Name = model,
            Count = settings.Instances,
            Kind = settings.DeviceType == DeviceType.Gpu ? ModelInstanceGroup.Types.Kind.Gpu : ModelInstanceGroup.Types.Kind.Cpu,
        };
        if (settings.DeviceType == DeviceType.Gpu) group.Gpus.AddRange(settings.DeviceIds.Count > 0 ? settings.DeviceIds : [0]);
        return group;
    }

    private static ModelDynamicBatching Batching(ModelConfiguration settings, int queueLimit) => new()
    {
        MaxQueueDelayMicroseconds = settings.Batching == BatchingMode.Delayed ? (ulong)settings.MaxBatchDelay.TotalMicroseconds : 0,
        PriorityLevels = (ulong)settings.PriorityLevels,
        DefaultPriorityLevel = (ulong)((settings.PriorityLevels + 1) / 2),
        DefaultQueuePolicy = new ModelQueuePolicy
        {
            TimeoutAction = ModelQueuePolicy.Types.TimeoutAction.Reject,
            DefaultTimeoutMicroseconds = (ulong)(settings.LatencyTarget ?? settings.ResponseTimeout).TotalMicroseconds,
            AllowTimeoutOverride = true,
            MaxQueueSize = (uint)queueLimit,
        },
    };

    // The rest of what model-config.yaml says in single words.
    private static IEnumerable<(string Key, string Value)> Parameters(ModelConfiguration settings)
    {
        if (settings.Handler is { } handler) yield return ("handler", handler);
        yield return ("batching", settings.Batching == BatchingMode.Delayed ? "delayed" : "adaptive");
        yield return ("minWorkers", settings.MinWorkers.ToString(CultureInfo.InvariantCulture));
        yield return ("maxWorkers", settings.MaxWorkers.ToString(CultureInfo.InvariantCulture));
        yield return ("responseTimeout", Milliseconds(settings.ResponseTimeout));
        if (settings.LatencyTarget is { } target) yield return ("latencyTarget", Milliseconds(target));
    }

    private static string Milliseconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0}ms");

    private static DataType TypeOf(TensorElement element) => element switch
    {
        TensorElement.Bool => DataType.TypeBool,
        TensorElement.UInt8 => DataType.TypeUint8,
        TensorElement.UInt16 => DataType.TypeUint16,
        TensorElement.UInt32 => DataType.TypeUint32,
        TensorElement.UInt64 => DataType.TypeUint64,
        TensorElement.Int8 => DataType.TypeInt8,
        TensorElement.Int16 => DataType.TypeInt16,
        TensorElement.Int32 => DataType.TypeInt32,
        TensorElement.Int64 => DataType.TypeInt64,
        TensorElement.Float16 => DataType.TypeFp16,
        TensorElement.BFloat16 => DataType.TypeBf16,
        TensorElement.Float32 => DataType.TypeFp32,
        TensorElement.Float64 => DataType.TypeFp64,
        TensorElement.String => DataType.TypeString,
        _ => DataType.TypeInvalid,
    };
}
