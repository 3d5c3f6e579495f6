using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Protocol;
using Serve.Worker.BuiltIn;
using Serve.Worker.Execution.Loading;
using Serve.Worker.Pipeline;

namespace Serve.Worker.Execution;

/// <summary>What a Load became.</summary>
/// <param name="Work">The model with its handler, warm.</param>
/// <param name="Runner">The loading thread's own executor, warm.</param>
/// <param name="Device">For example <c>cpu:0</c>.</param>
/// <param name="Signature">The model's inputs and outputs; null for a batch handler.</param>
/// <param name="Notes">Sentences for whoever describes the model.</param>
internal sealed record LoadedModel(IModelWork Work, IBatchRunner Runner, string Device, ModelSignature? Signature, IReadOnlyList<string> Notes);

/// <summary>Loads the model and handler that a Load names. On the first device thread, which executes batches afterwards.</summary>
internal sealed partial class ModelLoader(LoadMessage load, ILogger logger)
{
    private readonly ModelConfiguration _configuration = load.Configuration;

    public string HandlerName { get; } = load.Configuration.Handler ?? HandlerSource.Default;

    /// <exception cref="ServeException">Why the model cannot be served.</exception>
    public LoadedModel Load()
    {
        var handler = HandlerSource.Create(HandlerName, load.ModelFolder);
        return handler is IBatchHandler batchHandler ? LoadBatchHandler(batchHandler) : LoadModel((IModelHandler)handler);
    }

    private LoadedModel LoadBatchHandler(IBatchHandler handler)
    {
        CallLoad(() => handler.Load(ContextFor(null)));
        var work = new HandlerWork(handler, _configuration.BatchSize);
        return new LoadedModel(work, work.CreateRunner(), $"{load.Device.Type.ToString().ToLowerInvariant()}:{load.Device.Index}", null, []);
    }

    private LoadedModel LoadModel(IModelHandler handler)
    {
        var file = ModelFile.Find(load.ModelFolder, _configuration);
        var decodes = StartDecodes(handler);
        var definition = ModelDefinition.Of(file);
        using var plan = SessionPlan.Create(
            load.ModelName, _configuration, load.Device.Type, load.Device.Index, load.HostWorkers, EngineFolder(), GraphInputs.Of(definition.Outline));
        var cache = _configuration.Execution.OptimizedModelCache ? OptimizedModelCache.Open(load.Cache, logger) : null;
        var model = OnnxModel.Of(new SessionOpener(cache, logger).Open(definition, plan), plan);
        var loaded = WarmUp(handler, model);
        decodes?.Join();
        return loaded;
    }

    private LoadedModel WarmUp(IModelHandler handler, OnnxModel model)
    {
        try
        {
            return LoadHandler(handler, model);
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
        catch (Microsoft.ML.OnnxRuntime.OnnxRuntimeException e)
        {
            throw RuntimeFailure.IsOutOfMemory(e)
                ? new OutOfResourcesException($"The memory of {model.Device} does not suffice for a batch of {work.MaxBatchRows}: {RuntimeFailure.Describe(e)}")
                : new InvalidModelException($"The model fails on a batch of zeros: {RuntimeFailure.Describe(e)}", e);
        }

        return new LoadedModel(work, runner, model.Device, model.Signature, model.Notes);
    }

    /// <summary>Where TensorRT keeps its engines; they are code for the GPU, so nobody else may write there.</summary>
    private string? EngineFolder() => load.Cache is { } cache && _configuration.Execution.Providers.Contains("tensorrt")
        ? PrivateFolder.Open(Path.Combine(cache.Folder, "tensorrt"))
        : null;

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
        catch (Exception e) when (e is not ServeException)
        {
            throw new InvalidModelException($"handler '{HandlerName}' failed to load with {e.GetType().Name}: {e.Message}", e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Decoding was not warmed up: {Reason}")]
        public static partial void DecodesFailed(ILogger logger, string reason);
    }
}
