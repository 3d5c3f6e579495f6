using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting;
using Serve.Frontend.Tracing;

namespace Serve.Frontend.Inference;

/// <summary>
/// One inference request from its headers to its answer: read the body, name the version, run, write. Hot path: one
/// asynchronous layer, no closures. It answers its own errors and records its own answers.
/// </summary>
internal sealed class InferenceEndpoint(ModelLookup models, long maxRequestBytes, bool inline, Shutdown shutdown, AnswerRecorder answers, ServerTracing? tracing, RequestFailures failures)
{
    // What handling more bytes than these takes, other connections of a thread must not wait for.
    private const int BriefBytes = 64 << 10;

    /// <summary>Answers a request whose route says which version it is for, and nothing else.</summary>
    public Task HandleAsync(HttpContext context, ModelVersion version)
    {
        version.Metrics.RequestAccepted();
        return HandleAsync(context, version, Traced(context, InferenceRoute.Plain));
    }

    /// <summary>Answers a request of any route.</summary>
    public Task HandleAsync(HttpContext context, InferenceRoute route) => HandleAsync(context, null, Traced(context, route));

    // With the route: another variable of HandleAsync would cost all requests memory.
    private InferenceRoute Traced(HttpContext context, InferenceRoute route) => tracing?.Begin(context) is { } trace ? route with { Trace = trace } : route;

    // What lives across its waits is allocated for each request: few variables, and no more than one at a time of a kind.
    private async Task HandleAsync(HttpContext context, ModelVersion? target, InferenceRoute route)
    {
        var started = Stopwatch.GetTimestamp();
        long latest;
        var (status, requestBytes, responseBytes) = (StatusCodes.Status200OK, 0, 0);
        RequestPayload? payload = null;
        InferenceResponse? response = null;
        try
        {
            if (shutdown.IsDraining) throw Shutdown.Refusal();
            if (target is null && route.ModelOf(context.Request) is { } model) target = models.Accept(model, route.Version);
            target?.ThrowIfNotServing();

            payload = BodyReceiver.Rent(context.Request, maxRequestBytes, target?.Bodies);
            await BodyReceiver.ReceiveAsync(context, payload, maxRequestBytes);
            requestBytes = payload.Body.Length;
            if (inline && requestBytes > BriefBytes && RequestParts.AreReadFrom(context.Request.ContentType)) await Task.Yield();
            RequestParts.Complete(context.Request, ref payload, route, out var modelField);
            target ??= models.Accept(modelField ?? models.OnlyModel(), route.Version);
            target.Metrics.StageDone(RequestStage.Read, Stopwatch.GetElapsedTime(started));
            route.Trace?.ReadTimestamp = Stopwatch.GetTimestamp();
            var options = RequestOptions.Read(context.Request.Headers);
            ServerTiming.Begin(context, payload, started);

            var handedOver = payload;
            payload = null;
            response = await target.InferAsync(handedOver, options, context.RequestAborted);

            latest = Stopwatch.GetTimestamp();
            route.Trace?.WriteTimestamp = latest;
            (status, responseBytes) = (response.Status, response.Body.Length);
            if (inline && responseBytes > BriefBytes) await Task.Yield();
            ServerTiming.End(context, response, started);
            await ResponseWriter.WriteAsync(context, response);
            var ended = Stopwatch.GetTimestamp();
            if (response.Parts is { } parts) responseBytes = (int)Math.Min(parts.Bytes, int.MaxValue);
            else target.Metrics.StageDone(RequestStage.Write, Stopwatch.GetElapsedTime(latest, ended));
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
            response?.Dispose();
        }

        answers.Answered(context, status, started, latest, route.Trace);
    }
}
