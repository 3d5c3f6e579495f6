using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Worker.Execution.Providers;

namespace Serve.Worker.Execution.Loading;

/// <summary>A model that a Load names, opened.</summary>
/// <param name="Definition">Its file, and what became of it.</param>
/// <param name="Plan">The options that its session was made with; the caller disposes of it.</param>
/// <param name="Opened">Its session; the caller disposes of it.</param>
/// <param name="Configuration">The configuration that is left for the handler: what the graph does itself is not in it.</param>
internal sealed record OpenedModel(ModelDefinition Definition, SessionPlan Plan, OpenedSession Opened, ModelConfiguration Configuration);

/// <summary>From a Load to a session: finds the file, rewrites it where that is asked for, and opens it with the cache's help.</summary>
internal static partial class ModelOpening
{
    /// <param name="load">What to open.</param>
    /// <param name="wantsOutline">Whether the optimized graph is asked for even where getting it takes a while.</param>
    /// <param name="logger">Told how it went.</param>
    /// <exception cref="ServeException">Why it cannot be opened.</exception>
    public static OpenedModel Open(LoadMessage load, bool wantsOutline, ILogger logger)
    {
        var configuration = load.Configuration;
        var file = ModelFile.Find(load.ModelFolder, configuration);
        var mustLook = wantsOutline || configuration.Preprocessing.NormalizeInModel || load.Device.Type == DeviceType.Gpu;
        var definition = mustLook || !ModelDefinition.IsTiny(file) ? ModelDefinition.Of(file) : ModelDefinition.Unread(file);
        var inputs = GraphInputs.Of(definition.Outline);
        if (configuration.Preprocessing.NormalizeInModel)
        {
            var normalization = PixelNormalization.For(inputs, configuration);
            definition = definition with { Rewritten = normalization.Rewrite(definition.File), Rewriting = normalization.Fingerprint };
            configuration = configuration with { Preprocessing = normalization.Remaining(configuration.Preprocessing) };
            inputs = [normalization.Input];
        }

        try
        {
            return Open(load, definition, configuration, inputs, wantsOutline, logger);
        }
        catch (InvalidModelException e) when (inputs is not null && e.InnerException is OnnxRuntimeException cause && TensorRtOptions.LacksProfiles(cause.Message))
        {
            Log.WithoutProfiles(logger);
            return Open(load, definition, configuration, inputs: null, wantsOutline, logger);
        }
    }

    private static OpenedModel Open(LoadMessage load, ModelDefinition definition, ModelConfiguration configuration, IReadOnlyList<TensorInfo>? inputs, bool wantsOutline, ILogger logger)
    {
        var plan = SessionPlan.Create(load.ModelName, configuration, load.Device.Type, load.Device.Index, load.HostWorkers, EngineFolder(load), inputs);
        try
        {
            var cache = configuration.Execution.OptimizedModelCache ? OptimizedModelCache.Of(load.Cache, logger) : null;
            return new OpenedModel(definition, plan, new SessionOpener(cache, logger).Open(definition, plan, wantsOutline), configuration);
        }
        catch
        {
            plan.Dispose();
            throw;
        }
    }

    /// <summary>Where TensorRT keeps its engines; they are code for the GPU, so nobody else may write there.</summary>
    private static string? EngineFolder(LoadMessage load)
    {
        if (load.Cache is not { } cache || !load.Configuration.Execution.EngineCache || !load.Configuration.Execution.Providers.Contains("tensorrt")) return null;
        try
        {
            return PrivateFolder.Open(Path.Combine(cache.Folder, "tensorrt"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidModelException($"TensorRT's engines cannot be kept in {cache.Folder} (cacheFolder): {e.Message}. Set another folder, or execution.engineCache: false.", e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "TensorRT takes only parts of the model, so it gets no profile for the batch size: an engine is built anew for a batch that is larger than any before")]
        public static partial void WithoutProfiles(ILogger logger);
    }
}
