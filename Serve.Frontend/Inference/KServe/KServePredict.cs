using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Inference.KServe;

/// <summary>
/// <c>/v1/models/{model}:predict</c> of KServe's v1 protocol. Each instance is a request by itself, its JSON the body, so
/// that the instances of one call and of others share batches; the answers are put together in the instances' order.
/// </summary>
internal sealed class KServePredict(ModelLookup models, long maxRequestBytes, Shutdown shutdown, ServerTracing? tracing)
{
    public async Task HandleAsync(HttpContext context)
    {
        tracing?.BeginWith(context);
        if (shutdown.IsDraining) throw Shutdown.Refusal();
        var target = models.Find((string)context.Request.RouteValues["model"]!, null);
        ServerTracing.Of(context)?.For(target.Name, target.Version);
        target.ThrowIfNotServing();
        var options = RequestOptions.Read(context.Request.Headers);
        var body = BodyReceiver.Rent(context.Request, maxRequestBytes);
        try
        {
            await BodyReceiver.ReceiveAsync(context, body, maxRequestBytes);

            // The last of the body may have come on a thread that serves sockets, and there may be much of it.
            await Task.Yield();
            using var document = Instances.Parse(body.Body);
            await AnswerAsync(context, target, Instances.Of(document), options);
        }
        finally
        {
            body.Release();
        }
    }

    private async Task AnswerAsync(HttpContext context, ModelVersion target, JsonElement instances, InferenceOptions options)
    {
        var started = Stopwatch.GetTimestamp();
        using var left = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        using var predictions = new Predictions(maxRequestBytes);
        var underWay = new Queue<Task<InferenceResponse>>();
        try
        {
            // Not all at once: a call with many instances would fill the queue with itself and be refused.
            var most = Math.Max(2, 2 * target.Configuration.BatchSize);
            foreach (var instance in instances.EnumerateArray())
            {
                if (underWay.Count == most && !await TakeAsync(context, underWay, predictions)) return;
                underWay.Enqueue(InferAsync(target, PayloadOf(context.Request, instance), Left(options, started), left.Token));
            }

            while (underWay.Count > 0) if (!await TakeAsync(context, underWay, predictions)) return;
        }
        finally
        {
            await left.CancelAsync();
            foreach (var answer in underWay) await DiscardAsync(answer);
        }

        await PrettyJson.WriteAsync(context, StatusCodes.Status200OK, predictions.Complete());
    }

    // The client's deadline is the call's: what an instance waits for the ones before it counts too.
    private static InferenceOptions Left(InferenceOptions options, long started)
    {
        if (options.Timeout is not { } timeout) return options;
        var left = timeout - Stopwatch.GetElapsedTime(started);
        return left > TimeSpan.Zero ? options with { Timeout = left } : throw new ResponseTimeoutException($"Not all instances were answered within {timeout.TotalMilliseconds} ms ({RequestOptions.TimeoutHeader}).");
    }

    /// <summary>Takes the oldest instance's answer.</summary>
    /// <returns>False: the call was answered with it, because the handler chose a status that is no success.</returns>
    private static async Task<bool> TakeAsync(HttpContext context, Queue<Task<InferenceResponse>> underWay, Predictions predictions)
    {
        using var answer = await underWay.Dequeue();
        if (answer.Status is >= 200 and < 300)
        {
            predictions.Add(answer);
            return true;
        }

        await ResponseWriter.WriteAsync(context, answer);
        return false;
    }

    /// <summary>Runs one instance, counted as a request of the model.</summary>
    private async Task<InferenceResponse> InferAsync(ModelVersion target, RequestPayload payload, InferenceOptions options, CancellationToken left)
    {
        var (started, bytes, trace) = (Stopwatch.GetTimestamp(), payload.Body.Length, payload.Trace);
        target.Metrics.RequestAccepted();
        InferenceResponse? answer = null;
        try
        {
            answer = await target.InferAsync(payload, options, left);
            await answer.JoinPartsAsync(maxRequestBytes);
            target.Metrics.RequestAnswered(answer.Status, Stopwatch.GetElapsedTime(started), bytes, answer.Body.Length, trace);
            trace?.EndPart(answer.Status);
            return answer;
        }
        catch (ServeException e)
        {
            answer?.Dispose();
            target.Metrics.RequestAnswered(e.Status, Stopwatch.GetElapsedTime(started), bytes, responseBytes: 0, trace);
            trace?.EndPart(e.Status);
            throw;
        }
    }

    private static RequestPayload PayloadOf(HttpRequest request, JsonElement instance)
    {
        var text = JsonMarshal.GetRawUtf8Value(instance);
        var payload = RequestPayload.Rent(text.Length);
        RequestParts.AddHeaders(request, payload, null, ServerTracing.Of(request.HttpContext)?.Part("infer", Stopwatch.GetTimestamp()));
        text.CopyTo(payload.GetSpan(text.Length));
        payload.Advance(text.Length);
        payload.AddPart("body", "application/json", 0, text.Length);
        return payload;
    }

    private static async Task DiscardAsync(Task<InferenceResponse> answer)
    {
        try
        {
            (await answer).Dispose();
        }
        catch (ServeException)
        {
            // One that failed before it answers the call.
        }
    }
}
