using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Worker.Execution.Providers;

namespace Serve.Worker.Execution;

/// <summary>ONNX Runtime's options for a model's configuration and the device that this worker was given.</summary>
internal sealed class SessionPlan : IDisposable
{
    private readonly ExecutionConfiguration _execution;
    private readonly int _intraOpThreads;
    private readonly List<string> _notes = [];
    private readonly List<Provider> _providers = [];

    private SessionPlan(ModelConfiguration configuration, int intraOpThreads)
    {
        _execution = configuration.Execution;
        _intraOpThreads = intraOpThreads;
        Options = WithoutProviders(_execution.GraphOptimization);
    }

    /// <summary>For the model as it was written.</summary>
    public SessionOptions Options { get; }

    /// <summary>Where the model will run: <c>cpu:0</c>, <c>gpu:1</c>.</summary>
    public string Device { get; private set; } = "cpu:0";

    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Whether the optimized graph can be written down: what TensorRT compiles cannot.</summary>
    public bool CanSaveOptimized => !UsesTensorRt;

    /// <summary>Whether TensorRT compiles the model, or parts of it.</summary>
    public bool UsesTensorRt => _providers.Exists(provider => provider.Kind == ProviderKind.TensorRt);

    /// <summary>ONNX Runtime's providers in order, as the configuration calls them.</summary>
    public IReadOnlyList<string> ProviderNames => [.. _providers.Select(provider => provider.Kind.ToString().ToLowerInvariant()), "cpu"];

    /// <summary>Whether nothing runs but on the CPU.</summary>
    public bool IsCpuOnly => _providers.Count == 0;

    /// <summary>Whether batches are recorded as CUDA graphs and replayed.</summary>
    public bool UsesCudaGraphs => _providers.Exists(provider => provider.RecordsGraphs);

    /// <summary>Everything here that the optimized graph depends on. Which of several devices is none of it.</summary>
    public string Fingerprint => string.Join('\n', _providers
        .SelectMany(provider => provider.Options.Where(option => option.Key != "device_id").Select(option => $"{provider.Kind}.{option.Key}={option.Value}").Order(StringComparer.Ordinal))
        .Prepend($"{_execution.GraphOptimization} {string.Join(',', _providers.Select(provider => provider.Kind))}"));

    /// <exception cref="InvalidModelException">A provider that is not there, and no <c>fallback: cpu</c>.</exception>
    public static SessionPlan Create(
        string modelName,
        ModelConfiguration configuration,
        DeviceType device,
        int deviceIndex,
        int hostWorkers,
        string? engineFolder = null,
        IReadOnlyList<TensorInfo>? inputs = null)
    {
        var execution = configuration.Execution;
        var threads = execution.IntraOpThreads > 0 ? execution.IntraOpThreads : CpuBudget.IntraOpThreads(configuration.Instances, hostWorkers);
        var plan = new SessionPlan(configuration, threads);
        try
        {
            foreach (var provider in plan.ProvidersOf(modelName, configuration, device, deviceIndex, engineFolder, inputs)) plan.Add(modelName, configuration, provider, deviceIndex);
            return plan;
        }
        catch
        {
            plan.Dispose();
            throw;
        }
    }

    /// <summary>For a graph that these options have optimized already. The caller disposes of it.</summary>
    public SessionOptions CreateOptionsForOptimized()
    {
        var options = WithoutProviders(GraphOptimization.None);
        foreach (var provider in _providers) provider.AppendTo(options);
        return options;
    }

    public void Dispose() => Options.Dispose();

    // Each is added before the next is asked for.
    private IEnumerable<Provider> ProvidersOf(
        string modelName, ModelConfiguration configuration, DeviceType device, int deviceIndex, string? engineFolder, IReadOnlyList<TensorInfo>? inputs)
    {
        var names = configuration.Execution.Providers;
        if (names.Count == 0) names = device == DeviceType.Gpu ? ["cuda", "cpu"] : ["cpu"];

        foreach (var name in names)
        {
            switch (name.ToLowerInvariant())
            {
                case "cpu":
                    break; // always there, last
                case "cuda":
                    // Only one provider can record: the first that is there.
                    var execution = IsCpuOnly ? configuration.Execution : configuration.Execution with { CudaGraphs = false };
                    yield return new Provider(ProviderKind.Cuda, CudaOptions.Of(execution, deviceIndex));
                    break;
                case "tensorrt":
                    yield return new Provider(ProviderKind.TensorRt, TensorRtOptions.Of(configuration.Execution, deviceIndex, engineFolder, inputs, configuration.BatchSize));
                    break;
                default:
                    throw new InvalidModelException($"execution.providers of {modelName} names '{name}', which this worker does not know; use tensorrt, cuda or cpu.");
            }
        }
    }

    private void Add(string modelName, ModelConfiguration configuration, Provider provider, int deviceIndex)
    {
        try
        {
            provider.AppendTo(Options);
            _providers.Add(provider);
            Device = string.Create(CultureInfo.InvariantCulture, $"gpu:{deviceIndex}");
        }
        catch (Exception e) when (e is OnnxRuntimeException or EntryPointNotFoundException or DllNotFoundException)
        {
            var (what, library) = provider.Kind == ProviderKind.TensorRt ? ("TensorRT", "TensorRT") : ("a GPU", "CUDA");
            var reason = e is OnnxRuntimeException ? RuntimeFailure.Describe(e) : $"this build of Serve has no {library} provider";
            if (configuration.Fallback != DeviceType.Cpu)
            {
                throw new InvalidModelException($"{modelName} asks for {what}, but there is none that can be used: {reason} (fallback: cpu would serve it on the CPU.)", e);
            }

            _notes.Add(provider.Kind == ProviderKind.TensorRt
                ? $"the model asks for TensorRT, but runs without it (fallback: cpu): {reason}"
                : $"the model asks for a GPU, but runs on the CPU (fallback: cpu): {reason}");
        }
    }

    private SessionOptions WithoutProviders(GraphOptimization optimization)
    {
        var options = new SessionOptions
        {
            GraphOptimizationLevel = optimization switch
            {
                GraphOptimization.None => GraphOptimizationLevel.ORT_DISABLE_ALL,
                GraphOptimization.Basic => GraphOptimizationLevel.ORT_ENABLE_BASIC,
                GraphOptimization.Extended => GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
                _ => GraphOptimizationLevel.ORT_ENABLE_ALL,
            },
            IntraOpNumThreads = _intraOpThreads,
            InterOpNumThreads = Math.Max(1, _execution.InterOpThreads),
            ExecutionMode = _execution.InterOpThreads > 1 ? ExecutionMode.ORT_PARALLEL : ExecutionMode.ORT_SEQUENTIAL,
            EnableCpuMemArena = _execution.CpuArena,
            EnableMemoryPattern = _execution.MemoryPattern,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };

        var spinning = _execution.AllowSpinning ? "1" : "0";
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning);
        options.AddSessionConfigEntry("session.inter_op.allow_spinning", spinning);
        return options;
    }

    private enum ProviderKind
    {
        Cuda,
        TensorRt,
    }

    private sealed record Provider(ProviderKind Kind, IReadOnlyDictionary<string, string> Options)
    {
        public bool RecordsGraphs => Options.GetValueOrDefault(Kind == ProviderKind.TensorRt ? "trt_cuda_graph_enable" : "enable_cuda_graph") == "1";

        /// <exception cref="OnnxRuntimeException">Its libraries, its driver or its device are not there, or it does not know an option.</exception>
        public void AppendTo(SessionOptions options)
        {
            if (Kind == ProviderKind.TensorRt)
            {
                using var tensorRt = new OrtTensorRTProviderOptions();
                tensorRt.UpdateOptions(new Dictionary<string, string>(Options));
                options.AppendExecutionProvider_Tensorrt(tensorRt);
            }
            else
            {
                using var cuda = new OrtCUDAProviderOptions();
                cuda.UpdateOptions(new Dictionary<string, string>(Options));
                options.AppendExecutionProvider_CUDA(cuda);
            }
        }
    }
}
