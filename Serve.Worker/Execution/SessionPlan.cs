using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Errors;

namespace Serve.Worker.Execution;

/// <summary>ONNX Runtime's options for a model's configuration and the device that this worker was given.</summary>
internal sealed class SessionPlan : IDisposable
{
    private readonly List<string> _notes = [];

    private SessionPlan(ExecutionConfiguration execution, int intraOpThreads)
    {
        Options = new SessionOptions
        {
            GraphOptimizationLevel = execution.GraphOptimization switch
            {
                GraphOptimization.None => GraphOptimizationLevel.ORT_DISABLE_ALL,
                GraphOptimization.Basic => GraphOptimizationLevel.ORT_ENABLE_BASIC,
                GraphOptimization.Extended => GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
                _ => GraphOptimizationLevel.ORT_ENABLE_ALL,
            },
            IntraOpNumThreads = intraOpThreads,
            InterOpNumThreads = Math.Max(1, execution.InterOpThreads),
            ExecutionMode = execution.InterOpThreads > 1 ? ExecutionMode.ORT_PARALLEL : ExecutionMode.ORT_SEQUENTIAL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };

        var spinning = execution.AllowSpinning ? "1" : "0";
        Options.AddSessionConfigEntry("session.intra_op.allow_spinning", spinning);
        Options.AddSessionConfigEntry("session.inter_op.allow_spinning", spinning);
    }

    public SessionOptions Options { get; }

    /// <summary>Where the model will run: <c>cpu:0</c>, <c>gpu:1</c>.</summary>
    public string Device { get; private set; } = "cpu:0";

    public IReadOnlyList<string> Notes => _notes;

    /// <exception cref="InvalidModelException">A provider that is not there, and no <c>fallback: cpu</c>.</exception>
    public static SessionPlan Create(string modelName, ModelConfiguration configuration, DeviceType device, int deviceIndex, int hostWorkers)
    {
        var execution = configuration.Execution;
        var threads = execution.IntraOpThreads > 0 ? execution.IntraOpThreads : CpuBudget.IntraOpThreads(configuration.Instances, hostWorkers);
        var plan = new SessionPlan(execution, threads);
        try
        {
            plan.AddProviders(modelName, configuration, device, deviceIndex);
            return plan;
        }
        catch
        {
            plan.Dispose();
            throw;
        }
    }

    private void AddProviders(string modelName, ModelConfiguration configuration, DeviceType device, int deviceIndex)
    {
        var providers = configuration.Execution.Providers;
        if (providers.Count == 0) providers = device == DeviceType.Gpu ? ["cuda", "cpu"] : ["cpu"];

        foreach (var provider in providers)
        {
            switch (provider.ToLowerInvariant())
            {
                case "cpu":
                    break; // always there, last
                case "cuda":
                    AddCuda(modelName, configuration, deviceIndex);
                    break;
                default:
                    throw new InvalidModelException($"execution.providers of {modelName} names '{provider}', which this worker does not know; use cuda or cpu.");
            }
        }
    }

    private void AddCuda(string modelName, ModelConfiguration configuration, int deviceIndex)
    {
        try
        {
            using var cuda = new OrtCUDAProviderOptions();
            var options = new Dictionary<string, string>
            {
                ["device_id"] = deviceIndex.ToString(),
                // Doubling the arena wastes up to half of the device's memory, and other workers live on it too.
                ["arena_extend_strategy"] = "kSameAsRequested",
            };
            foreach (var (key, value) in configuration.Execution.CudaOptions) options[key] = value;
            cuda.UpdateOptions(options);
            Options.AppendExecutionProvider_CUDA(cuda);
            Device = $"gpu:{deviceIndex}";
        }
        catch (Exception e) when (e is OnnxRuntimeException or EntryPointNotFoundException or DllNotFoundException)
        {
            var reason = e is OnnxRuntimeException ? RuntimeFailure.Describe(e) : "this build of Serve has no CUDA provider";
            if (configuration.Fallback != DeviceType.Cpu)
            {
                throw new InvalidModelException($"{modelName} asks for a GPU, but there is none that can be used: {reason} (fallback: cpu would serve it on the CPU.)", e);
            }

            _notes.Add($"the model asks for a GPU, but runs on the CPU (fallback: cpu): {reason}");
        }
    }

    public void Dispose() => Options.Dispose();
}
