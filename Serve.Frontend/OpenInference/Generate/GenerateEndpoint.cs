using System.Buffers;
using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting;
using Serve.Frontend.OpenInference.Control;
using Serve.Frontend.OpenInference.Infer;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Generate;

/// <summary>
/// <c>generate</c>, which answers with one response, and <c>generate_stream</c>, which sends each response as an event when it
/// is there. The same data plane as every other request's; a client that leaves ends it.
/// </summary>
internal sealed partial class GenerateEndpoint(OpenInferenceModels models, long maxRequestBytes, Shutdown shutdown, AnswerRecorder answers, ServerTracing? tracing, RequestFailures failures, ILogger log)
{
    private const string NotOne = "generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses";

    /// <summary>Answers with exactly one response.</summary>
    public Task GenerateAsync(HttpContext context) => RunAsync(context, AnswerOnceAsync);

    /// <summary>Answers with an event for each response.</summary>
    public Task StreamAsync(HttpContext context) => RunAsync(context, AnswerStreamAsync);

    private delegate Task<long> Answer(HttpContext context, TensorRequest request, ModelVersion version, ModelSignature signature, InferenceResponse first);

    private async Task RunAsync(HttpContext context, Answer answer)
    {
        var started = Stopwatch.GetTimestamp();
        var trace = tracing?.Begin(context);
        var (status, responseBytes, requestBytes) = (StatusCodes.Status200OK, 0L, 0);
        ModelVersion? target = null;
        RequestPayload? payload = null;
        try
        {
            if (shutdown.IsDraining) throw Shutdown.Refusal();
            target = models.Accept(context.Model(), context.Version());
            target.ThrowIfNotServing();
            var signature = TensorRequestCheck.SignatureOf(target);
            if (ContentCodings.OfRequest(context) != ContentCoding.Identity) throw new ServeException(StatusCodes.Status501NotImplemented, "UnsupportedException", "Unsupported compression type: generate takes JSON as it is");
            using var body = await JsonBody.ReadAsync(context, maxRequestBytes);
            payload = RequestPayload.Rent(256);
            var request = GenerateRequest.Read(body.RootElement, signature, payload, maxRequestBytes);
            var rows = TensorRequestCheck.Check(request, target, signature, payload.Body.Span, isJsonAnswered: true);
            payload.Follow(trace);
            request.Complete(payload);
            requestBytes = payload.Body.Length;
            target.Metrics.StageDone(RequestStage.Read, Stopwatch.GetElapsedTime(started));

            var options = request.Options(target.Configuration.PriorityLevels, rows, context.Request.Headers);
            var handedOver = payload;
            payload = null;
            handedOver.RequestId = CommonHeaders.IdOf(context);
            using var first = await target.InferAsync(handedOver, options, context.RequestAborted);
            responseBytes = await answer(context, request, target, signature, first);
        }
        catch (Exception e)
        {
            payload?.Release();
            if (target is not null) trace?.For(target.Name, target.Version);
            status = await failures.AnswerAsync(context, e, trace);
        }

        var ended = Stopwatch.GetTimestamp();
        target?.Metrics.RequestAnswered(status, Stopwatch.GetElapsedTime(started, ended), requestBytes, responseBytes, trace);
        answers.Answered(context, status, started, ended, trace);
    }

    private async Task<long> AnswerOnceAsync(HttpContext context, TensorRequest request, ModelVersion version, ModelSignature signature, InferenceResponse first)
    {
        if (version.IsDecoupled)
        {
            if (first.Parts is null ? first.Body.Length == 0 : await HasMoreAsync(first.Parts)) throw new BadRequestException(NotOne);
        }
        else
        {
            await first.JoinPartsAsync(maxRequestBytes);
        }

        using var document = new PooledBuffer(1024);
        GenerateAnswer.Write(document, request, version, signature, first, isFirst: true);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = document.Length;
        await context.Response.BodyWriter.WriteAsync(document.Written, context.RequestAborted);
        return document.Length;
    }

    private static async ValueTask<bool> HasMoreAsync(AnswerParts parts)
    {
        if (await parts.NextAsync() is not { } second) return false;
        second.Dispose();
        return true;
    }

    private async Task<long> AnswerStreamAsync(HttpContext context, TensorRequest request, ModelVersion version, ModelSignature signature, InferenceResponse first)
    {
        if (!version.IsDecoupled) await first.JoinPartsAsync(maxRequestBytes);

        // An error of the first response still has a status of its own.
        using var begin = new PooledBuffer(1024);
        var isThere = !version.IsDecoupled || first.Parts is not null || first.Body.Length > 0;
        if (isThere) WriteEvent(begin, target => GenerateAnswer.Write(target, request, version, signature, first, isFirst: true));
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        var writer = context.Response.BodyWriter;
        if (first.Parts is not { } parts)
        {
            await writer.WriteAsync(begin.Written, context.RequestAborted);
            return begin.Length;
        }

        long bytes = begin.Length;
        var write = writer.WriteAsync(begin.Written, context.RequestAborted).AsTask();
        try
        {
            await parts.UntilWrittenAsync(write);
            while (await parts.NextAsync() is { } part)
            {
                using var next = new PooledBuffer(1024);
                using (part) WriteEvent(next, target => GenerateAnswer.Write(target, request, version, signature, part, isFirst: false));
                bytes += next.Length;
                await parts.UntilWrittenAsync(write = writer.WriteAsync(next.Written, context.RequestAborted).AsTask());
            }
        }
        catch (ServeException e) when (e is not ClientGoneException && write.IsCompleted)
        {
            // The status has been sent: the client is told by an event.
            using var end = new PooledBuffer(1024);
            WriteEvent(end, target => target.Write(OpenInferenceError.Body(e).Span));
            await writer.WriteAsync(end.Written, context.RequestAborted);
            LogBroken(version.Name, e.Message);
        }

        return bytes;
    }

    private static void WriteEvent(PooledBuffer target, Action<PooledBuffer> write)
    {
        target.Write("data: "u8);
        write(target);
        target.Write("\n\n"u8);
    }

    [LoggerMessage(24, LogLevel.Debug, "a stream of {Model} broke off: {Why}")]
    private partial void LogBroken(string model, string why);
}
