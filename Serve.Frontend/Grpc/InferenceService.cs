using System.Diagnostics;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Tracing;
using Serve.Frontend.Hosting;
using Serve.Frontend.Inference;
using Serve.Frontend.Tracing;
using Serve.Management.Grpc;

namespace Serve.Frontend.Grpc;

/// <summary>TorchServe's inference API over gRPC.</summary>
/// <param name="models">Which version a request is for.</param>
/// <param name="ping">The server's health.</param>
/// <param name="maxRequestBytes">The most that a request's parts may have together.</param>
/// <param name="inline">Whether answers arrive on threads that serve others too.</param>
/// <param name="shutdown">Whether new requests are refused.</param>
internal sealed class InferenceService(ModelLookup models, Ping ping, long maxRequestBytes, bool inline, Shutdown shutdown) : InferenceAPIsService.InferenceAPIsServiceBase
{
    // As in InferenceEndpoint: handling more than this takes, others must not wait for.
    private const int BriefBytes = 64 << 10;
    private const int LongestErrorText = 4096;

    public override Task<TorchServeHealthResponse> Ping(Empty request, ServerCallContext context) =>
        Task.FromResult(new TorchServeHealthResponse { Health = Encoding.UTF8.GetString(ping.Ask().Document.Span) });

    /// <summary>Answers whole: the parts of an answer in parts are put together.</summary>
    public override async Task<PredictionResponse> Predictions(PredictionsRequest request, ServerCallContext context) => (await PredictAsync(request, context, null, ServerTracing.Of(context.GetHttpContext())))!;

    /// <summary>Answers with a message for each part, when it is there; with one where the handler answers whole.</summary>
    public override Task StreamPredictions(PredictionsRequest request, IServerStreamWriter<PredictionResponse> responseStream, ServerCallContext context) =>
        PredictAsync(request, context, new AnswerStream(responseStream, context, sequence: null), ServerTracing.Of(context.GetHttpContext()));

    /// <summary>
    /// Runs one request after the other, each answered as by <see cref="StreamPredictions"/>. One that fails has a message with
    /// its status, and the next one is run.
    /// </summary>
    public override async Task StreamPredictions2(IAsyncStreamReader<PredictionsRequest> requestStream, IServerStreamWriter<PredictionResponse> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            var request = requestStream.Current;
            var answer = new AnswerStream(responseStream, context, request.HasSequenceId ? request.SequenceId : null);
            var part = ServerTracing.Of(context.GetHttpContext())?.Part("infer", Stopwatch.GetTimestamp());
            var status = StatusCodes.Status200OK;
            try
            {
                await PredictAsync(request, context, answer, part);
            }
            catch (ServeException e) when (e is not ClientGoneException)
            {
                status = e.Status;
                await answer.FailAsync(e);
            }
            finally
            {
                part?.EndPart(status);
            }
        }
    }

    // The answer is written to the stream; without one it is the result.
    private async Task<PredictionResponse?> PredictAsync(PredictionsRequest request, ServerCallContext context, AnswerStream? stream, RequestTrace? trace)
    {
        var started = Stopwatch.GetTimestamp();
        var (requestBytes, responseBytes) = (0, 0L);
        if (shutdown.IsDraining) throw Shutdown.Refusal();
        if (request.ModelName.Length == 0) throw new BadRequestException("Parameter model_name is required.");
        var target = models.Accept(request.ModelName, request.ModelVersion.Length == 0 ? null : request.ModelVersion);
        trace?.For(target.Name, target.Version);
        try
        {
            target.ThrowIfNotServing();
            var options = CallOptions.Read(context);
            var payload = CallPayload.Of(request, context, maxRequestBytes, target.Bodies, trace);
            requestBytes = payload.Body.Length;
            using var response = await target.InferAsync(payload, options, context.CancellationToken);
            responseBytes = response.Body.Length;
            if (inline && responseBytes > BriefBytes) await Task.Yield();
            if (response.Status >= 400) throw Refused(response);
            PredictionResponse? whole = null;
            if (stream is not null)
            {
                responseBytes = await stream.WriteAsync(response);
            }
            else
            {
                await response.JoinPartsAsync(maxRequestBytes);
                responseBytes = response.Body.Length;
                whole = new PredictionResponse { Prediction = ByteString.CopyFrom(response.Body.Span) };
            }

            target.Metrics.RequestAnswered(response.Status, Stopwatch.GetElapsedTime(started), requestBytes, responseBytes, trace);
            return whole;
        }
        catch (Exception e)
        {
            target.Metrics.RequestAnswered(GrpcStatus.From(e, context).Status, Stopwatch.GetElapsedTime(started), requestBytes, responseBytes, trace);
            throw;
        }
    }

    // A handler's own error: its text is all that a status has room for.
    private static ServeException Refused(InferenceResponse response)
    {
        var body = response.Body.Span;
        return new ServeException(response.Status, "PredictionException", Encoding.UTF8.GetString(body[..Math.Min(body.Length, LongestErrorText)]));
    }
}
