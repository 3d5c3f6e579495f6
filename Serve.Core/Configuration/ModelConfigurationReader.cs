using Serve.Core.Configuration.Yaml;

namespace Serve.Core.Configuration;

/// <summary>Reads <c>model-config.yaml</c>: strict, every problem at once with its line, TorchServe's keys understood.</summary>
public static class ModelConfigurationReader
{
    /// <summary>The file's name in a model's folder.</summary>
    public const string FileName = "model-config.yaml";

    /// <summary>The most workers of one version.</summary>
    public const int MaxWorkers = 256;

    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>Reads a model's configuration; a file that is not there gives the defaults.</summary>
    /// <param name="path">The file.</param>
    /// <param name="defaults">The server's configuration: queue size and timeouts of models that do not say their own.</param>
    /// <exception cref="ConfigurationException">Everything that is wrong with the file.</exception>
    public static ConfigurationRead<ModelConfiguration> Read(string path, ServerConfiguration defaults)
    {
        ArgumentNullException.ThrowIfNull(defaults);
        if (!File.Exists(path)) return new(Defaults(defaults), [], new HashSet<string>());

        var problems = new ProblemList();
        return Finish(YamlTree.ReadFile(path, problems), Defaults(defaults), problems);
    }

    /// <summary>Reads a model's configuration from text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="source">What messages call it.</param>
    /// <param name="defaults">The server's configuration.</param>
    /// <exception cref="ConfigurationException">Everything that is wrong with the text.</exception>
    public static ConfigurationRead<ModelConfiguration> ReadText(string text, string source, ServerConfiguration defaults)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(defaults);
        var problems = new ProblemList();
        return Finish(YamlTree.ReadText(text, source, problems), Defaults(defaults), problems);
    }

    /// <summary>
    /// A configuration with some of its top-level keys set anew, checked as if they stood in the file: for the parameters
    /// of the management API and the command line, which go before the file.
    /// </summary>
    /// <param name="configuration">What holds otherwise.</param>
    /// <param name="writtenKeys">The keys that the model's file has: what it says outright is not replaced by a default.</param>
    /// <param name="values">Values as text, by key (<c>batchSize</c>).</param>
    /// <param name="sourceOf">What messages call the origin of a key, for example <c>parameter batch_size</c>.</param>
    /// <exception cref="ConfigurationException">Every wrong value.</exception>
    public static ConfigurationRead<ModelConfiguration> Override(ModelConfiguration configuration, IReadOnlySet<string> writtenKeys, IReadOnlyDictionary<string, string> values, Func<string, string> sourceOf)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(sourceOf);
        ArgumentNullException.ThrowIfNull(writtenKeys);
        var problems = new ProblemList();
        return Finish(TextOverlay.Of(values, sourceOf, problems), configuration, problems, writtenKeys);
    }

    /// <summary>The configuration of a model that has no file.</summary>
    /// <param name="server">The server's configuration.</param>
    public static ModelConfiguration Defaults(ServerConfiguration server)
    {
        ArgumentNullException.ThrowIfNull(server);
        return new ModelConfiguration
        {
            MaxQueueSize = server.DefaultMaxQueueSize,
            ResponseTimeout = server.DefaultResponseTimeout,
            StartupTimeout = server.DefaultStartupTimeout,
            Instances = 0,
        };
    }

    private static ConfigurationRead<ModelConfiguration> Finish(YamlMap? map, ModelConfiguration fallback, ProblemList problems, IReadOnlySet<string>? writtenBefore = null)
    {
        var saysQueue = writtenBefore is not null && (writtenBefore.Contains("maxQueueSize") || writtenBefore.Contains("jobQueueSize"));
        var configuration = map is null ? fallback : Bind(new SettingsReader(map, "", problems), fallback, saysQueue);
        problems.ThrowIfAny();
        return new(configuration, problems.Warnings, (map?.Entries ?? []).Select(entry => entry.Key).ToHashSet(StringComparer.Ordinal));
    }

    private static ModelConfiguration Bind(SettingsReader settings, ModelConfiguration fallback, bool saysQueue)
    {
        var minWorkers = settings.Integer("minWorkers", fallback.MinWorkers, 0, MaxWorkers);
        var latencyTarget = settings.OptionalDuration("latencyTarget", fallback.LatencyTarget, Millisecond, Millisecond, TimeSpan.FromHours(24));
        var configuration = fallback with
        {
            Handler = Handler(settings, fallback.Handler),
            ModelFile = InFolder(settings, "modelFile", fallback.ModelFile),
            LabelFile = InFolder(settings, "labelFile", fallback.LabelFile),
            TopK = settings.Integer("topK", fallback.TopK, 1, 100_000),
            MinWorkers = minWorkers,
            MaxWorkers = settings.Integer("maxWorkers", Math.Max(fallback.MaxWorkers, minWorkers), 1, MaxWorkers),
            Autoscale = AutoscaleSection.Bind(settings, fallback.Autoscale),
            Instances = settings.Integer("instances", fallback.Instances, 0, 64),
            BatchSize = settings.Integer("batchSize", fallback.BatchSize, 1, 4096),
            BatchDimension = settings.Choice("batchDimension", fallback.BatchDimension),
            Batching = settings.Choice("batching", fallback.Batching),
            MaxBatchDelay = settings.Duration("maxBatchDelay", fallback.MaxBatchDelay, Millisecond, TimeSpan.Zero, TimeSpan.FromHours(1)),
            ResponseTimeout = settings.Duration("responseTimeout", fallback.ResponseTimeout, Second, Millisecond, TimeSpan.FromHours(24)),
            StartupTimeout = settings.Duration("startupTimeout", fallback.StartupTimeout, Second, Millisecond, TimeSpan.FromHours(24)),
            LatencyTarget = latencyTarget,
            MaxQueueSize = settings.IntegerOrAuto(Named(settings, "maxQueueSize", "jobQueueSize"), settings.Has("latencyTarget") && latencyTarget is not null && !saysQueue ? null : fallback.MaxQueueSize, 1, 1_000_000),
            PriorityLevels = settings.Integer("priorityLevels", fallback.PriorityLevels, 1, 100),
            MaxRetries = settings.Integer("maxRetries", fallback.MaxRetries, 0, 1000),
            MaxRetryTimeout = settings.Duration(Named(settings, "maxRetryTimeout", "maxRetryTimeoutInSec"), fallback.MaxRetryTimeout, Second, Second, TimeSpan.FromHours(24)),
            DeviceType = Device(settings, fallback.DeviceType),
            DeviceIds = settings.List("deviceIds", fallback.DeviceIds, item => item.IsPlain && ValueText.Integer(item.Text) is >= 0 and <= 1023 and var id ? (int)id : null,
                "device numbers from 0 to 1023, each once, for example [0, 1]", ids => ids.Distinct().Count() == ids.Count),
            Fallback = settings.OptionalChoice("fallback", fallback.Fallback),
            DecodeThreads = settings.Integer("decodeThreads", fallback.DecodeThreads, 0, 256),
            Preprocessing = settings.Section("preprocessing") is { } preprocessing ? PreprocessingSection.Bind(preprocessing, fallback.Preprocessing) : fallback.Preprocessing,
            Execution = settings.Section("execution") is { } execution ? ExecutionSections.BindExecution(execution, fallback.Execution) : fallback.Execution,
            Warmup = settings.Section("warmup") is { } warmup ? ExecutionSections.BindWarmup(warmup, fallback.Warmup) : fallback.Warmup,
            ResponseCache = settings.Section("responseCache") is { } cache ? Cache(cache, fallback.ResponseCache) : fallback.ResponseCache,
            HandlerOptions = settings.Texts("handlerOptions", fallback.HandlerOptions),
        };

        TorchServeKeys.Check(settings);
        settings.Finish();
        return Together(settings, configuration);
    }

    /// <summary>What holds between keys.</summary>
    private static ModelConfiguration Together(SettingsReader settings, ModelConfiguration configuration)
    {
        if (configuration.MaxWorkers < configuration.MinWorkers)
        {
            settings.Problem(settings.Has("maxWorkers") ? "maxWorkers" : "minWorkers",
                $"maxWorkers is {configuration.MaxWorkers} and minWorkers {configuration.MinWorkers}; maxWorkers must be at least minWorkers");
        }

        if (settings.Has("autoscale") && configuration.Autoscale is not null && configuration.MaxWorkers == configuration.MinWorkers)
        {
            settings.Warn("autoscale", $"has nothing to do: minWorkers and maxWorkers are both {configuration.MaxWorkers}");
        }

        if (settings.Has("maxBatchDelay") && configuration.Batching is BatchingMode.Adaptive)
        {
            settings.Warn("maxBatchDelay", "has no effect with `batching: adaptive`, where no request waits for a batch to fill; `batching: delayed` is TorchServe's way");
        }

        if (configuration.LatencyTarget > configuration.ResponseTimeout)
        {
            settings.Problem(settings.Has("latencyTarget") ? "latencyTarget" : "responseTimeout",
                $"latencyTarget is {ValueText.Show(configuration.LatencyTarget.Value)} and responseTimeout {ValueText.Show(configuration.ResponseTimeout)}; latencyTarget must not be longer");
        }

        if (configuration.Fallback is DeviceType.Gpu) settings.Problem("fallback", "gpu is not allowed; give cpu, or remove the line to fail the load where there is no GPU");

        return Devices(settings, configuration);
    }

    private static ModelConfiguration Devices(SettingsReader settings, ModelConfiguration configuration)
    {
        var providers = configuration.Execution.Providers;
        var onGpu = providers.FirstOrDefault(provider => provider is "cuda" or "tensorrt");
        if (onGpu is not null && configuration.DeviceType is DeviceType.Cpu)
        {
            if (settings.Has("deviceType")) settings.Problem("deviceType", $"is cpu, but execution.providers has {onGpu}; give deviceType: gpu, or remove {onGpu}");
            else configuration = configuration with { DeviceType = DeviceType.Gpu };
        }

        if (providers.Count > 0 && onGpu is null && configuration.DeviceType is DeviceType.Gpu)
        {
            settings.Problem("deviceType", "is gpu, but execution.providers has neither cuda nor tensorrt; add one, or give deviceType: cpu");
        }

        if (configuration.DeviceType is DeviceType.Cpu && configuration.Execution.CudaGraphs)
        {
            settings.Problem(settings.Has("execution") ? "execution" : "deviceType", "cudaGraphs is true, but the model runs on the CPU; give deviceType: gpu, or remove cudaGraphs");
        }

        if (configuration.Execution.CudaGraphs && configuration.Instances > 1 && settings.Has("instances"))
        {
            settings.Warn("instances", $"is {configuration.Instances}, but has no effect with `cudaGraphs: true`: graphs run one batch at a time; more workers run more");
        }

        if (configuration.DeviceType is DeviceType.Cpu && settings.Has("deviceIds")) settings.Warn("deviceIds", "has no effect with deviceType: cpu");
        if (configuration.DeviceType is DeviceType.Cpu && configuration.Fallback is not null && settings.Has("fallback")) settings.Warn("fallback", "has no effect with deviceType: cpu");

        return configuration;
    }

    private static ResponseCacheConfiguration Cache(SettingsReader settings, ResponseCacheConfiguration fallback)
    {
        var cache = fallback with
        {
            Enabled = settings.Flag("enabled", fallback.Enabled),
            Size = settings.Size("size", fallback.Size, 1 << 10, 1L << 40),
        };
        settings.Finish();
        return cache;
    }

    private static string? Handler(SettingsReader settings, string? fallback)
    {
        if (settings.Has("handler") && settings.Take("handler") is not YamlScalar)
        {
            settings.Problem("handler", $"is a section of TorchServe's Python handlers; give a handler's name ({string.Join(", ", HandlerName.StockNames)}, or Assembly.dll:Namespace.Type) and its settings under handlerOptions");
            return fallback;
        }

        var text = settings.Text("handler", fallback);
        if (!settings.Has("handler") || text is null || HandlerName.Parse(text, out var fault) is not null) return text;

        settings.Problem("handler", fault);
        return fallback;
    }

    private static string? InFolder(SettingsReader settings, string key, string? fallback)
    {
        var path = settings.Text(key, fallback);
        if (path is null || !settings.Has(key) || RelativePath.Fault(path) is not { } fault) return path;

        settings.Problem(key, $"\"{path}\" {fault}; give a path relative to the model's folder, inside it");
        return fallback;
    }

    /// <summary>The name under which a key is written: TorchServe's where that one is there. Both are an error.</summary>
    private static string Named(SettingsReader settings, string key, string torchServe)
    {
        settings.TakeSilently(torchServe);
        settings.Take(key);
        if (!settings.Has(torchServe)) return key;

        if (settings.Has(key)) settings.Problem(torchServe, $"is TorchServe's name of {key}, which is given too; remove one of them");
        return torchServe;
    }

    private static DeviceType Device(SettingsReader settings, DeviceType fallback)
    {
        if (settings.Has("deviceType") && settings.Take("deviceType") is YamlScalar { Text: "neuron" })
        {
            settings.Problem("deviceType", "neuron is not supported; give cpu or gpu");
            return fallback;
        }

        return settings.Choice("deviceType", fallback);
    }
}
