using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Onnx;
using Serve.Core.Onnx.Format;

namespace Serve.Worker.Execution.Loading;

/// <summary>A session, and the graph that it runs.</summary>
/// <param name="Session">The caller disposes of it.</param>
/// <param name="Optimized">The graph after ONNX Runtime's optimization, without weights; null where it was not written down.</param>
/// <param name="IsFromCache">Whether an earlier start had optimized it.</param>
internal sealed record OpenedSession(InferenceSession Session, ModelProto? Optimized, bool IsFromCache);

/// <summary>
/// Makes sessions: from the optimized graph of an earlier start where there is one, else from the model, keeping the
/// optimized graph for the next.
/// </summary>
/// <param name="cache">Where optimized graphs are kept; null: nowhere.</param>
/// <param name="logger">Told how it went.</param>
internal sealed partial class SessionOpener(OptimizedModelCache? cache = null, ILogger? logger = null)
{
    /// <summary>
    /// Below this much a model loads in a fraction of a second anyway (22 MB in 0.2 s, 89 MB in 0.7 s and from the cache in
    /// 0.4 s, on two cores).
    /// </summary>
    public const long SmallestCachedModelBytes = 32L << 20;

    private readonly ILogger _logger = logger ?? NullLogger.Instance;

    /// <param name="definition">The model.</param>
    /// <param name="plan">Options and providers.</param>
    /// <param name="wantsOutline">Whether the optimized graph is asked for even where getting it takes a while.</param>
    /// <exception cref="InvalidModelException">The file is not there, damaged, or of a kind that cannot be served; or its device is not there.</exception>
    /// <exception cref="OutOfResourcesException">The device's memory does not suffice; another try may.</exception>
    public OpenedSession Open(ModelDefinition definition, SessionPlan plan, bool wantsOutline = false)
    {
        if (definition.Outline is null || !plan.CanSaveOptimized) return new OpenedSession(OpenModel(definition, plan), null, false);
        if (cache is not null && definition.TotalBytes >= SmallestCachedModelBytes)
        {
            var key = OptimizedModelKey.Of(definition, plan);
            if (OpenCached(key, plan) is { } cached) return cached;
            if (cache.Begin(key, 5 * definition.TotalBytes / 2) is { } writing)
            {
                using (writing) return OpenAndKeep(definition, plan, writing);
            }
        }

        return wantsOutline || definition.TotalBytes < SmallestCachedModelBytes
            ? OpenWithOutline(definition, plan)
            : new OpenedSession(OpenModel(definition, plan), null, false);
    }

    private OpenedSession? OpenCached(string key, SessionPlan plan)
    {
        if (cache!.Find(key) is not { } file) return null;
        try
        {
            using var options = plan.CreateOptionsForOptimized();
            var session = new InferenceSession(file, options);
            Log.FromCache(_logger, file);
            return new OpenedSession(session, Outline(file), true);
        }
        catch (OnnxRuntimeException e) when (!RuntimeFailure.IsOutOfMemory(e))
        {
            Log.CachedRefused(_logger, file, RuntimeFailure.Describe(e));
            cache.Remove(key);
            return null;
        }
    }

    private OpenedSession OpenAndKeep(ModelDefinition definition, SessionPlan plan, OptimizedModelCache.Writing writing)
    {
        var options = plan.Options;
        options.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", OptimizedModelCache.DataFileName);
        options.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", "1024");

        // Weights as the CPU's kernels want them: the next start maps the file instead of rearranging them, and workers share it.
        if (plan.IsCpuOnly) options.AddSessionConfigEntry("session.save_external_prepacked_constant_initializers", "1");
        if (OpenSaving(definition, plan, writing.ModelFile) is not { } session) return new OpenedSession(OpenModel(definition, plan), null, false);

        var outline = Outline(writing.ModelFile);
        if (writing.Commit() is { } kept) Log.Kept(_logger, kept);
        return new OpenedSession(session, outline, false);
    }

    private OpenedSession OpenWithOutline(ModelDefinition definition, SessionPlan plan)
    {
        if (MakeFolder() is not { } folder) return new OpenedSession(OpenModel(definition, plan), null, false);
        try
        {
            // A file of its own for the weights, which nobody reads. Never a device such as /dev/null: ONNX Runtime removes the
            // file when it has no weights to put there.
            var file = Path.Combine(folder.FullName, "model.onnx");
            plan.Options.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", "weights");
            plan.Options.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", "1024");
            return OpenSaving(definition, plan, file) is { } session
                ? new OpenedSession(session, Outline(file), false)
                : new OpenedSession(OpenModel(definition, plan), null, false);
        }
        finally
        {
            Remove(folder);
        }
    }

    // The graph is written down for advice only: a temporary folder that is full must not cost the model.
    private DirectoryInfo? MakeFolder()
    {
        try
        {
            return Directory.CreateTempSubdirectory("serve-graph-");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NotSaved(_logger, e.Message);
            return null;
        }
    }

    private void Remove(DirectoryInfo folder)
    {
        try
        {
            folder.Delete(recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NotSaved(_logger, e.Message);
        }
    }

    /// <returns>Null if it failed; whether for the saving or for the model shows without the saving.</returns>
    private InferenceSession? OpenSaving(ModelDefinition definition, SessionPlan plan, string file)
    {
        try
        {
            plan.Options.OptimizedModelFilePath = file;
            return NewSession(definition, plan);
        }
        catch (OnnxRuntimeException e)
        {
            Log.NotSaved(_logger, RuntimeFailure.Describe(e));
            return null;
        }
        finally
        {
            plan.Options.OptimizedModelFilePath = "";
        }
    }

    private static InferenceSession OpenModel(ModelDefinition definition, SessionPlan plan)
    {
        var name = Path.GetFileName(definition.File);
        try
        {
            return NewSession(definition, plan);
        }
        catch (OnnxRuntimeException e) when (RuntimeFailure.IsOutOfMemory(e))
        {
            throw new OutOfResourcesException($"The model {name} does not fit into the memory of {plan.Device}: {RuntimeFailure.Describe(e)}");
        }
        catch (OnnxRuntimeException e) when (plan.UsesCudaGraphs && e.Message.Contains("graph capture", StringComparison.OrdinalIgnoreCase))
        {
            throw new InvalidModelException($"{name} cannot be recorded as CUDA graphs, which need every node on the GPU and no control flow: {RuntimeFailure.Describe(e)} `serve doctor` names the nodes; execution.cudaGraphs: false serves the model without.", e);
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidModelException($"ONNX Runtime cannot load {name}: {RuntimeFailure.Describe(e)}", e);
        }
    }

    private static InferenceSession NewSession(ModelDefinition definition, SessionPlan plan)
    {
        if (definition.Rewritten is not { } model) return new InferenceSession(definition.File, plan.Options);

        plan.Options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", Path.GetDirectoryName(Path.GetFullPath(definition.File))!);
        return new InferenceSession(model, plan.Options);
    }

    private ModelProto? Outline(string file)
    {
        try
        {
            return OnnxOutlineReader.ReadFile(file);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            Log.NoOutline(_logger, e.Message);
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Loaded the optimized graph of an earlier start: {File}")]
        public static partial void FromCache(ILogger logger, string file);

        [LoggerMessage(2, LogLevel.Information, "The optimized graph is kept for the next start: {File}")]
        public static partial void Kept(ILogger logger, string file);

        [LoggerMessage(3, LogLevel.Warning, "The optimized graph {File} is of no use and is made again: {Reason}")]
        public static partial void CachedRefused(ILogger logger, string file, string reason);

        [LoggerMessage(4, LogLevel.Information, "The model does not load while its optimized graph is written down; trying without: {Reason}")]
        public static partial void NotSaved(ILogger logger, string reason);

        [LoggerMessage(5, LogLevel.Warning, "The optimized graph cannot be read: {Reason}")]
        public static partial void NoOutline(ILogger logger, string reason);
    }
}
