using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Memory;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Frontend.Hosting;
using Serve.Frontend.OpenInference.SharedMemory;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>Runs models over gRPC: ModelInfer and ModelStreamInfer.</summary>
/// <param name="models">Which version a request is for.</param>
/// <param name="registry">What is served.</param>
/// <param name="memory">Where tensors may be besides in messages.</param>
/// <param name="maxRequestBytes">The most that the parts of an answer may have together that is given whole.</param>
/// <param name="inline">Whether answers arrive on threads that serve others too.</param>
/// <param name="shutdown">Whether new requests are refused.</param>
/// <param name="log">For what nobody has foreseen, of requests whose stream goes on.</param>
internal sealed partial class InferService(OpenInferenceModels models, ModelRegistry registry, SharedMemoryRegions memory, long maxRequestBytes, bool inline, Shutdown shutdown, ILogger log)
{
    private const int BriefBytes = 64 << 10;

    // Of a stream whose models have no batches to fill.
    private const int MostUnderWayOfDecoupled = 64;

    // Of all others: each request that has to wait for room costs a look at each that is under way.
    private const int MostUnderWayAtOnce = 256;

    /// <summary>Answers one request with one response.</summary>
    public async Task<TensorMessage> InferAsync(TensorCall call, ServerCallContext context)
    {
        using var run = new TensorRun(call, context, isOne: false);
        try
        {
            var answer = await StartAsync(run, isStream: false);
            await JoinAsync(answer);
            if (inline && answer.Body.Length > BriefBytes) await Task.Yield();
            return run.Answered(run.Whole(isFinal: null));
        }
        catch (Exception e)
        {
            run.Failed(e);
            throw;
        }
    }

    /// <summary>Answers each request of a stream: in their order, but for decoupled models, whose responses come when they are there.</summary>
    public Task StreamAsync(IAsyncStreamReader<TensorCall> calls, IServerStreamWriter<TensorMessage> responses, ServerCallContext context) =>
        new InferStream(this, calls, responses, context).RunAsync();

    /// <summary>Where the workers of a version read bodies; null: nowhere, or there is no such version.</summary>
    public SharedBodies? BodiesOf(string model, string version) => registry.Find(model, version)?.Bodies;

    /// <summary>How many requests of a stream may be under way when another one comes: a batch for each that the ready workers can run at once, and one that waits.</summary>
    public int MostUnderWay(TensorCall call)
    {
        var target = registry.Find(call.Message.ModelName, call.Message.ModelVersion);
        return target is null or { IsDecoupled: true } ? MostUnderWayOfDecoupled : MostUnderWay(target.Configuration, target.ReadyWorkers);
    }

    /// <summary>The same, of a model that answers each request once.</summary>
    public static int MostUnderWay(ModelConfiguration model, int readyWorkers) =>
        (int)Math.Clamp((((long)Math.Max(1, readyWorkers) * Math.Max(1, model.Instances)) + 1) * model.BatchSize, 2, MostUnderWayAtOnce);

    /// <summary>Puts the parts of an answer together that is given whole.</summary>
    /// <exception cref="ServeException">It is too large, or fails.</exception>
    public ValueTask JoinAsync(InferenceResponse answer) => answer.JoinPartsAsync(maxRequestBytes);

    /// <summary>Tells the log what a stream's client is not told, whose call does not fail by it.</summary>
    public void TellLog(Exception e, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        using (LogTrace.Of(ServerTracing.Of(http))) LogUnexpected(e, context.Method, CommonHeaders.IdOf(http));
    }

    /// <summary>Finds the model, checks the request, and runs it.</summary>
    /// <param name="run">The request; who it is for is added.</param>
    /// <param name="isStream">Whether there may be any number of responses.</param>
    /// <returns>The answer, or its first part; it belongs to the run.</returns>
    /// <exception cref="ServeException">The request is refused, or fails.</exception>
    public ValueTask<InferenceResponse> StartAsync(TensorRun run, bool isStream)
    {
        if (shutdown.IsDraining) throw Shutdown.Refusal();
        var message = run.Call.Message;
        if (message.ModelName.Length == 0) throw new BadRequestException("a request must name its model (model_name)");
        var target = run.Target = models.Accept(message.ModelName, message.ModelVersion.Length == 0 ? null : message.ModelVersion);
        target.ThrowIfNotServing();
        if (target.IsDecoupled && !isStream) throw new ServeException(StatusCodes.Status501NotImplemented, "UnsupportedException", "ModelInfer RPC doesn't support models with decoupled transaction policy");
        return run.InferAsync(TensorRequestCheck.SignatureOf(target), memory, maxRequestBytes);
    }

    [LoggerMessage(25, LogLevel.Error, "a request of {Method} failed unexpectedly, request {RequestId}")]
    private partial void LogUnexpected(Exception exception, string method, string? requestId);
}
