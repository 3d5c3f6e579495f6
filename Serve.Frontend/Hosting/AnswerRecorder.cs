using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Serve.Core.Models.Sources;
using Serve.Core.Observability;
using Serve.Core.Tracing;
using Serve.Frontend.Logging;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Hosting;

/// <summary>
/// What is recorded of every answer of a listener over HTTP, once, by whoever wrote it: its count, the end of its span, and
/// its line in the access log. A layer around all requests that waits for their answers would cost each of them more than the
/// line does. Preflights, and what Kestrel refuses by itself, are counted only.
/// </summary>
/// <param name="metrics">Counts answers.</param>
/// <param name="log">The access log; null: there is none.</param>
internal sealed class AnswerRecorder(HttpMetrics metrics, ILogger? log)
{
    /// <summary>Records an answer. Hot path.</summary>
    /// <param name="context">The request, whose answer is written.</param>
    /// <param name="status">By what it is counted: 499 if its client left first.</param>
    /// <param name="started">When it began, as a timestamp.</param>
    /// <param name="ended">When it was answered, likewise.</param>
    /// <param name="trace">Its trace, which ends; null: it is not traced.</param>
    public void Answered(HttpContext context, int status, long started, long ended, RequestTrace? trace)
    {
        metrics.Answered(status);
        if (trace is not null) ServerTracing.End(trace, status, ended);
        if (log is not null) Log(log, context, status, Stopwatch.GetElapsedTime(started, ended), ended, trace);
    }

    private static void Log(ILogger log, HttpContext context, int status, TimeSpan took, long ended, RequestTrace? trace)
    {
        var request = context.Request;
        using var ofTrace = LogTrace.Of(trace);
        new AccessLine(
            context.Connection.RemoteIpAddress,
            context.Connection.RemotePort,
            request.Method,
            TargetOf(request),
            request.Protocol,
            status,
            (long)took.TotalMilliseconds,
            CommonHeaders.IdOf(context),
            ended).LogTo(log);
    }

    // A URL may carry a signature, which opens what it is of for whoever has it: an archive, or what a client sends to a model.
    private static string TargetOf(HttpRequest request)
    {
        if (!request.QueryString.HasValue) return request.Path;
        if (!request.Query.Any(parameter => parameter.Value.Any(value => IsUrl(parameter.Key, value)))) return request.Path + request.QueryString;
        var shown = request.Query.SelectMany(parameter => parameter.Value.Select(value =>
            KeyValuePair.Create(parameter.Key, IsUrl(parameter.Key, value) ? AllowedUrls.Shown(value!) : value)));
        return request.Path + QueryString.Create(shown).Value;
    }

    private static bool IsUrl(string parameter, string? value) =>
        value is not null && (parameter.Equals("url", StringComparison.OrdinalIgnoreCase) || value.Contains("://", StringComparison.Ordinal));
}
