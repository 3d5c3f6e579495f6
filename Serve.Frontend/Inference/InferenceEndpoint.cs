using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting;
using Serve.Management.Http;

namespace Serve.Frontend.Inference;

/// <summary>Whether a route's query parameters are inputs of the model.</summary>
internal enum QueryUse
{
    /// <summary>They are ignored, as on TorchServe's <c>/predictions</c>.</summary>
    None,

    /// <summary>Each becomes a part, after those of the body.</summary>
    Inputs,
}

/// <summary>
/// One inference request from its headers to its answer: read the body, name the version, run, write. Hot path: one
/// asynchronous layer, no closures. It answers its own errors and counts its own answers.
/// </summary>
internal sealed partial class InferenceEndpoint(ModelRegistry registry, ModelLoading loading, long maxRequestBytes, Shutdown shutdown, HttpMetrics metrics, ILogger log)
{
    private const string ModelName = "model_name";

    /// <summary>Answers one request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="model">The model that the route names; null: the query or the body does, or there is only one.</param>
    /// <param name="version">The version that the route names; null: the default.</param>
    /// <param name="path">What of the route is for the handler.</param>
    /// <param name="query">What query parameters are for.</param>
    public async Task HandleAsync(HttpContext context, string? model, string? version, string? path, QueryUse query)
    {
        var started = Stopwatch.GetTimestamp();
        var (status, requestBytes, responseBytes) = (StatusCodes.Status200OK, 0, 0);
        ModelVersion? target = null;
        RequestPayload? payload = null;
        InferenceResponse? response = null;
        try
        {
            if (shutdown.IsDraining) throw Shutdown.Refusal();
            model ??= query == QueryUse.Inputs ? (string?)context.Request.Query[ModelName] : null;
            if (model is not null) (target = Accept(model, version)).ThrowIfNotServing();

            payload = BodyReceiver.Rent(context.Request, maxRequestBytes);
            await BodyReceiver.ReceiveAsync(context, payload, maxRequestBytes);
            requestBytes = payload.Body.Length;
            RequestParts.Complete(context.Request, ref payload, path, query, out var modelField);
            target ??= Accept(modelField ?? OnlyModel(), version);
            target.Metrics.StageDone(RequestStage.Read, Stopwatch.GetElapsedTime(started));
            var options = RequestOptions.Read(context.Request.Headers);

            var handedOver = payload;
            payload = null;
            response = await target.InferAsync(handedOver, options, context.RequestAborted);

            var writing = Stopwatch.GetTimestamp();
            (status, responseBytes) = (response.Status, response.Body.Length);
            await ResponseWriter.WriteAsync(context, response);
            target.Metrics.StageDone(RequestStage.Write, Stopwatch.GetElapsedTime(writing));
            target.Metrics.RequestAnswered(status, Stopwatch.GetElapsedTime(started), requestBytes, responseBytes);
        }
        catch (Exception e)
        {
            payload?.Release();
            status = await FailAsync(context, e);
            target?.Metrics.RequestAnswered(status, Stopwatch.GetElapsedTime(started), requestBytes, responseBytes: 0);
        }
        finally
        {
            response?.Dispose();
        }

        metrics.Answered(status);
    }

    private ModelVersion Accept(string model, string? version)
    {
        ModelVersion target;
        try
        {
            target = registry.Resolve(model, version);
        }
        catch (ServeException e) when (e.Status == StatusCodes.Status404NotFound && !loading.IsDone)
        {
            throw ModelLoading.NotYet(model);
        }

        target.Metrics.RequestAccepted();
        return target;
    }

    private string OnlyModel() => registry.Names is [var only] ? only : throw new BadRequestException("Parameter model_name is required.");

    private Task<int> FailAsync(HttpContext context, Exception e)
    {
        var error = ErrorResponse.From(e, context);
        if (error.Status == StatusCodes.Status500InternalServerError && e is not ServeException) LogUnexpected(e, context.Request.Method, context.Request.Path);
        if (shutdown.IsDraining) context.Response.Headers.Connection = "close";
        return ErrorResponse.WriteAsync(context, error);
    }

    [LoggerMessage(20, LogLevel.Error, "{Method} {Path} failed unexpectedly")]
    private partial void LogUnexpected(Exception exception, string method, string path);
}
