using System.Globalization;
using Serve.Core.Configuration;
using Serve.Core.Handlers;
using Serve.Core.Models.Repository;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>A version's configuration in force, in the protocol's words. What it says can be given to a load (config override) as it is.</summary>
internal sealed class ModelConfigReport(OpenInferenceModels models)
{
    private static readonly IReadOnlyDictionary<string, string> None = new Dictionary<string, string>();

    // Keys that are told anyway, by a field or as a parameter, and another name of one.
    private static readonly HashSet<string> ToldAnyway = ["batching", "batchSize", "maxBatchDelay", "priorityLevels", "maxQueueSize", "jobQueueSize", "latencyTarget", "instances", "deviceType", "deviceIds", "modelFile", "responseCache.enabled"];

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
            VersionPolicy = PolicyOf(found.Policy),
            MaxBatchSize = isBatched ? settings.BatchSize : 0,
            DefaultModelFilename = settings.ModelFile ?? "",
            ResponseCache = new ModelResponseCache { Enable = settings.ResponseCache.Enabled },
            ModelTransactionPolicy = new ModelTransactionPolicy { Decoupled = found.IsDecoupled },
        };
        config.Input.AddRange((signature?.Inputs ?? []).Select(tensor => Input(tensor, isBatched)));
        config.Output.AddRange((signature?.Outputs ?? []).Select(tensor => Output(tensor, isBatched, signature!.Outputs.Count == 1 ? settings.LabelFile : null)));
        config.InstanceGroup.Add(Instances(found.Name, settings));
        if (isBatched) config.DynamicBatching = Batching(settings);
        foreach (var (key, value) in Parameters(settings, isBatched)) config.Parameters[key] = new ModelParameter { StringValue = value };

        // What else was given to the load: left out, it would be gone when the rest is given back.
        foreach (var (key, value) in found.Request?.Overrides ?? None)
        {
            if (!ToldAnyway.Contains(key)) config.Parameters.TryAdd(key, new ModelParameter { StringValue = value });
        }

        return config;
    }

    // Versions are numbers there. What a load did not say is not said here: given back, it would unload other versions.
    private static ModelVersionPolicy? PolicyOf(VersionPolicy? policy)
    {
        if (policy is null) return null;
        if (policy == VersionPolicy.All) return new ModelVersionPolicy { All = new() };
        if (policy.Versions.Count == 0) return new ModelVersionPolicy { Latest = new() { NumVersions = (uint)policy.Count } };
        var specific = new ModelVersionPolicy.Types.Specific();
        foreach (var version in policy.Versions)
        {
            if (!long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || version != number.ToString(CultureInfo.InvariantCulture)) return null;
            specific.Versions.Add(number);
        }

        return new ModelVersionPolicy { Specific = specific };
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

    private static ModelDynamicBatching Batching(ModelConfiguration settings) => new()
    {
        MaxQueueDelayMicroseconds = settings.Batching == BatchingMode.Delayed ? (ulong)settings.MaxBatchDelay.TotalMicroseconds : 0,
        PriorityLevels = (ulong)settings.PriorityLevels,
        DefaultPriorityLevel = (ulong)((settings.PriorityLevels + 1) / 2),
        DefaultQueuePolicy = new ModelQueuePolicy
        {
            TimeoutAction = ModelQueuePolicy.Types.TimeoutAction.Reject,
            DefaultTimeoutMicroseconds = (ulong)(settings.LatencyTarget ?? TimeSpan.Zero).TotalMicroseconds,
            AllowTimeoutOverride = true,
            MaxQueueSize = (uint)(settings.MaxQueueSize ?? 0),
        },
    };

    // The rest of what model-config.yaml says in single words, and what the fields above cannot say of this model.
    private static IEnumerable<(string Key, string Value)> Parameters(ModelConfiguration settings, bool isBatched)
    {
        if (settings.Handler is { } handler) yield return ("handler", handler);
        yield return ("minWorkers", Text(settings.MinWorkers));
        yield return ("maxWorkers", Text(settings.MaxWorkers));
        yield return ("responseTimeout", Text(settings.ResponseTimeout));
        yield return ("startupTimeout", Text(settings.StartupTimeout));
        var isDelayed = settings.Batching == BatchingMode.Delayed;
        if (!isBatched || !isDelayed || settings.MaxBatchDelay == TimeSpan.Zero)
        {
            yield return ("batching", isDelayed ? "delayed" : "adaptive");
            if (isDelayed) yield return ("maxBatchDelay", Text(settings.MaxBatchDelay));
        }

        if (!isBatched || settings.MaxQueueSize is null) yield return ("maxQueueSize", settings.MaxQueueSize is { } size ? Text(size) : "auto");
        if (isBatched) yield break;
        if (settings.LatencyTarget is { } target) yield return ("latencyTarget", Text(target));
        yield return ("batchSize", Text(settings.BatchSize));
        yield return ("priorityLevels", Text(settings.PriorityLevels));
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Text(TimeSpan time) =>
        time.Ticks % TimeSpan.TicksPerMillisecond == 0 ? FormattableString.Invariant($"{time.TotalMilliseconds:0}ms") : FormattableString.Invariant($"{time.TotalMicroseconds:0}us");

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
