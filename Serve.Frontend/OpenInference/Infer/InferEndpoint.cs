using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Tracing;
using Serve.Frontend.Hosting;
using Serve.Frontend.Inference;
using Serve.Frontend.OpenInference.SharedMemory;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Infer;

/// <summary>
/// One inference request of the Open Inference Protocol over REST, from its headers to its answer. It answers its own errors
/// and records its own answers. Hot path for binary tensors.
/// </summary>
internal sealed class InferEndpoint(OpenInferenceModels models, SharedMemoryRegions memory, long maxRequestBytes, bool inline, Shutdown shutdown, AnswerRecorder answers, ServerTracing? tracing, RequestFailures failures)
{
    // What handling more bytes than these takes, other connections of a thread must not wait for.
    private const int BriefBytes = 64 << 10;

    /// <summary>Answers a request for a version that is there.</summary>
    public Task HandleAsync(HttpContext context, ModelVersion version)
    {
        version.Metrics.RequestAccepted();
        return HandleAsync(context, version, Traced(context, InferenceRoute.Plain));
    }

    /// <summary>Answers a request by its route.</summary>
    public Task HandleAsync(HttpContext context, string model, string? version) => HandleAsync(context, null, Traced(context, new InferenceRoute(model, version, null, QueryUse.None)));

    // With the route: another variable of HandleAsync would cost all requests memory.
    private InferenceRoute Traced(HttpContext context, InferenceRoute route) => tracing?.Begin(context) is { } trace ? route with { Trace = trace } : route;

    private async Task HandleAsync(HttpContext context, ModelVersion? target, InferenceRoute route)
    {
        var started = Stopwatch.GetTimestamp();
        long latest;
        var (status, requestBytes, responseBytes) = (StatusCodes.Status200OK, 0, 0);
        RequestPayload? payload = null;
        InferenceResponse? answer = null;
        RegionUse? regions = null;
        try
        {
            if (shutdown.IsDraining) throw Shutdown.Refusal();
            target ??= models.Accept(route.Model!, route.Version);
            target.ThrowIfNotServing();
            var signature = TensorRequestCheck.SignatureOf(target);
            if (target.IsDecoupled) throw new ServeException(StatusCodes.Status501NotImplemented, "UnsupportedException", "HTTP end point doesn't support models with decoupled transaction policy");
            var coding = ContentCodings.OfRequest(context);

            payload = BodyReceiver.Rent(context.Request, maxRequestBytes, coding == ContentCoding.Identity ? target.Bodies : null);
            await BodyReceiver.ReceiveAsync(context, payload, maxRequestBytes);
            requestBytes = payload.Body.Length;
            if (inline && (coding != ContentCoding.Identity || memory.IsEnabled || RestBody.JsonBytes(context.Request, requestBytes, out _) > BriefBytes)) await Task.Yield();
            if (coding != ContentCoding.Identity) Unpack(ref payload, coding);
            var request = Read(context.Request, ref payload, target, signature, route.Trace, out var rows, out regions);
            target.Metrics.StageDone(RequestStage.Read, Stopwatch.GetElapsedTime(started));
            route.Trace?.ReadTimestamp = Stopwatch.GetTimestamp();
            ServerTiming.Begin(context, payload, started);

            var options = request.Options(target.Configuration.PriorityLevels, rows, context.Request.Headers);
            var handedOver = payload;
            payload = null;
            handedOver.RequestId = CommonHeaders.IdOf(context);
            answer = await target.InferAsync(handedOver, options, context.RequestAborted);

            latest = Stopwatch.GetTimestamp();
            route.Trace?.WriteTimestamp = latest;
            if (inline && TakesLong(answer, request, context.Request)) await Task.Yield();
            await answer.JoinPartsAsync(maxRequestBytes);
            var tensors = AnswerTensors.Read(answer, request, target, signature);
            regions?.Write(tensors);
            ServerTiming.End(context, answer, started);
            responseBytes = await RestAnswer.WriteAsync(context, request, target, answer, tensors);
            var ended = Stopwatch.GetTimestamp();
            target.Metrics.StageDone(RequestStage.Write, Stopwatch.GetElapsedTime(latest, ended));
            target.Metrics.RequestAnswered(status, Stopwatch.GetElapsedTime(started, ended), requestBytes, responseBytes, route.Trace);
            latest = ended;
        }
        catch (Exception e)
        {
            payload?.Release();
            if (target is not null) route.Trace?.For(target.Name, target.Version);
            status = await failures.AnswerAsync(context, e, route.Trace);
            latest = Stopwatch.GetTimestamp();
            target?.Metrics.RequestAnswered(status, Stopwatch.GetElapsedTime(started, latest), requestBytes, responseBytes: 0, route.Trace);
        }
        finally
        {
            answer?.Dispose();
            regions?.Dispose();
        }

        answers.Answered(context, status, started, latest, route.Trace);
    }

    private void Unpack(ref RequestPayload payload, ContentCoding coding)
    {
        var unpacked = ContentCodings.Decompress(payload, coding, maxRequestBytes);
        payload.Release();
        payload = unpacked;
    }

    private TensorRequest Read(HttpRequest http, ref RequestPayload payload, ModelVersion target, ModelSignature signature, RequestTrace? trace, out int rows, out RegionUse? regions)
    {
        var jsonBytes = RestBody.JsonBytes(http, payload.Body.Length, out var isRaw);
        var request = isRaw ? RestBody.ReadRaw(ref payload, target, signature) : RestBody.Read(ref payload, jsonBytes, maxRequestBytes);
        regions = memory.Use(request, payload, maxRequestBytes);
        rows = TensorRequestCheck.Check(request, target, signature, payload.Body.Span, isJsonAnswered: true);
        payload.Follow(trace);
        request.Complete(payload);
        return request;
    }

    // Numbers become text, bytes are packed, or classes are looked for.
    private static bool TakesLong(InferenceResponse answer, TensorRequest request, HttpRequest http) =>
        answer.Body.Length > BriefBytes
        || (answer.Body.Length > BriefBytes / 8 && !request.IsBinaryByDefault)
        || http.Headers.AcceptEncoding.Count > 0
        || request.Outputs.Exists(static output => output.Classes > 0);
}
