using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Handlers.Metrics;
using Serve.Core.Models;
using Serve.Core.Protocol;
using Serve.Core.Tensors;
using Serve.Worker.BuiltIn;
using Serve.Worker.Execution.Doctor;
using Serve.Worker.Execution.Graphs;
using Serve.Worker.Execution.Loading;
using Serve.Worker.Pipeline;

namespace Serve.Worker.Execution;

/// <summary>What a Load became.</summary>
/// <param name="Work">The model with its handler, warm.</param>
/// <param name="Runner">The loading thread's own executor, warm.</param>
/// <param name="Device">For example <c>cpu:0</c>.</param>
/// <param name="Signature">The model's inputs and outputs, or those that a batch handler declares; null: it declares none.</param>
/// <param name="Notes">Sentences for whoever describes the model.</param>
/// <param name="IsDecoupled">Whether a request with tensors may have any number of answers.</param>
internal sealed record LoadedModel(IModelWork Work, IBatchRunner Runner, string Device, ModelSignature? Signature, IReadOnlyList<string> Notes, bool IsDecoupled = false);

/// <summary>Loads the model and handler that a Load names. On the first device thread, which executes batches afterwards.</summary>
internal sealed partial class ModelLoader(LoadMessage load, ILogger logger)
{
    private ModelConfiguration _configuration = load.Configuration;

    public string HandlerName { get; } = load.Configuration.Handler ?? HandlerSource.Default;

    /// <summary>The handler's own metrics.</summary>
    public HandlerMetrics Metrics { get; } = new();

    /// <exception cref="ServeException">Why the model cannot be served.</exception>
    public LoadedModel Load()
    {
        var handler = HandlerSource.Create(HandlerName, load.ModelFolder);
        return handler is IBatchHandler batchHandler ? LoadBatchHandler(batchHandler) : LoadModel((IModelHandler)handler);
    }

    private LoadedModel LoadBatchHandler(IBatchHandler handler)
    {
        CallLoad(() => handler.Load(ContextFor(null)));
        var declared = handler as IDeclaresTensors;
        if (declared is { IsDecoupled: true } && !handler.Streams) throw new InvalidModelException($"handler '{HandlerName}' says that it is decoupled, but not that it streams (IBatchHandler.Streams).");
        var work = new HandlerWork(handler, _configuration.BatchSize);
        return new LoadedModel(work, work.CreateRunner(), $"{load.Device.Type.ToString().ToLowerInvariant()}:{load.Device.Index}", work.Tensors, [], declared is { IsDecoupled: true });
    }

    private LoadedModel LoadModel(IModelHandler handler)
    {
        var decodes = StartDecodes(handler);
        var opened = ModelOpening.Open(load, wantsOutline: false, logger);
        using var plan = opened.Plan;
        var model = OnnxModel.Of(opened.Opened, plan, _configuration.BatchDimension);
        _configuration = opened.Configuration;
        if (plan.UsesCudaGraphs) UseGraphs(model);
        TellFindings(opened, model);
        var loaded = WarmUp(handler, model);
        decodes?.Join();
        return loaded;
    }

    private void UseGraphs(OnnxModel model)
    {
        try
        {
            var buckets = BucketSizes.Of(_configuration, model.Signature, hasGraphs: true);
            model.UseGraphs(buckets, CudaMemory.Open(load.Device.Index));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private LoadedModel WarmUp(IModelHandler handler, OnnxModel model)
    {
        try
        {
            return LoadHandler(handler, model);
        }
        catch (UnbatchableOutputException e) when (_configuration.BatchDimension == BatchDimension.First)
        {
            throw new InvalidModelException($"batchDimension is first, but it cannot be. {e.Message}", e);
        }
        catch (UnbatchableOutputException e) when (model.HasGraphs)
        {
            throw new InvalidModelException($"cudaGraphs is true, but requests would have to run one by one, in shapes of their own. {e.Message} Set execution.cudaGraphs: false.", e);
        }
        catch (UnbatchableOutputException e)
        {
            model.ServeWithoutBatching(e.Message);
            return LoadHandler((IModelHandler)HandlerSource.Create(HandlerName, load.ModelFolder), model);
        }
    }

    private LoadedModel LoadHandler(IModelHandler handler, OnnxModel model)
    {
        CallLoad(() => handler.Load(ContextFor(model.Signature)));
        var work = new OnnxWork(handler, model, _configuration, logger);
        var runner = work.CreateRunner();
        try
        {
            runner.WarmUp();
        }
        catch (UnbatchableOutputException)
        {
            // Another handler and other rows take their place.
            runner.Dispose();
            work.LeaveModel();
            throw;
        }
        catch (Microsoft.ML.OnnxRuntime.OnnxRuntimeException e)
        {
            throw RuntimeFailure.IsOutOfMemory(e)
                ? new OutOfResourcesException($"The memory of {model.Device} does not suffice for a batch of {work.MaxBatchRows}: {RuntimeFailure.Describe(e)}")
                : new InvalidModelException($"The model fails on a batch of zeros: {RuntimeFailure.Describe(e)}", e);
        }

        return new LoadedModel(work, runner, model.Device, model.Signature, model.Notes);
    }

    /// <summary>What costs much goes to whoever describes the model, the rest to the log.</summary>
    private void TellFindings(OpenedModel opened, OnnxModel model)
    {
        if (opened.Definition.Outline is not { } original) return;
        var subject = DoctorSubject.Of(original, opened.Opened.Optimized, !opened.Plan.IsCpuOnly, !opened.Plan.IsCpuOnly, _configuration.Execution);
        foreach (var finding in GraphDoctor.Examine(subject))
        {
            if (finding.Severity == FindingSeverity.Advice) Log.Advice(logger, finding.Summary, finding.Cost ?? "");
            if (finding.Severity != FindingSeverity.Warning || finding.Topic == GraphDoctor.BatchTopic) continue; // the signature says so already
            Log.Warning(logger, finding.Summary, finding.Cost ?? "");
            model.Notes.Add($"{finding.Summary}: {finding.Cost} (serve doctor {load.ModelName} says what mends it)");
        }
    }

    // Beside the loading of the model: most of either is compilers' work.
    private Thread? StartDecodes(IModelHandler handler)
    {
        if (handler is not IWarmUp stock || !_configuration.Warmup.Enabled || _configuration.Warmup.Decodes == 0) return null;
        var thread = new Thread(() =>
        {
            try
            {
                stock.WarmUp(_configuration);
            }
            catch (ServeException e)
            {
                // On a machine that stands still a decode can run into its time limit; only the first requests are slower.
                Log.DecodesFailed(logger, e.Message);
            }
        })
        { IsBackground = true, Name = "warm-up" };
        thread.Start();
        return thread;
    }

    private HandlerContext ContextFor(ModelSignature? signature) => new()
    {
        ModelName = load.ModelName,
        ModelVersion = load.ModelVersion,
        ModelFolder = load.ModelFolder,
        Configuration = _configuration,
        Signature = signature,
        Labels = ReadLabels(),
        Metrics = Metrics,
        Logger = logger,
    };

    private IReadOnlyList<string> ReadLabels()
    {
        var file = Path.Combine(load.ModelFolder, _configuration.LabelFile ?? LabelFile.FileName);
        if (File.Exists(file)) return LabelFile.Read(file);
        return _configuration.LabelFile is { } name ? throw new InvalidModelException($"labelFile '{name}' is not in the model's folder.") : [];
    }

    private void CallLoad(Action loadHandler)
    {
        try
        {
            loadHandler();
        }
        catch (OutOfMemoryException e)
        {
            throw new OutOfResourcesException($"The memory does not suffice for handler '{HandlerName}' to load: {e.Message}");
        }
        catch (Exception e) when (e is not ServeException)
        {
            throw new InvalidModelException($"handler '{HandlerName}' failed to load with {e.GetType().Name}: {e.Message}", e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Decoding was not warmed up: {Reason}")]
        public static partial void DecodesFailed(ILogger logger, string reason);

        [LoggerMessage(2, LogLevel.Warning, "{Summary}; costs {Cost}")]
        public static partial void Warning(ILogger logger, string summary, string cost);

        [LoggerMessage(3, LogLevel.Information, "{Summary}; costs {Cost}")]
        public static partial void Advice(ILogger logger, string summary, string cost);
    }
}
