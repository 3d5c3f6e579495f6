using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Tracing;
using Serve.Frontend.Inference;
using Serve.Frontend.OpenInference.Infer;

namespace Serve.Frontend.Tracing;

/// <summary>The server span of an HTTP request, by OpenTelemetry's semantic conventions. Neither the query nor any header but those named is in it.</summary>
internal static class HttpSpan
{
    /// <summary><c>POST /predictions/{model}</c>.</summary>
    public static string NameOf(HttpRequest request, string? route) => route is null ? MethodOf(request) : $"{MethodOf(request)} {route}";

    /// <summary>The route that a request has: what routing has found, or what was answered before it. Null: neither.</summary>
    public static string? RouteOf(HttpContext context)
    {
        if (context.GetEndpoint() is RouteEndpoint routed) return routed.RoutePattern.RawText;
        var path = context.Request.Path.Value;
        if (PredictionPath.TryParse(path, out _, out var version)) return version.IsEmpty ? "/predictions/{model}" : "/predictions/{model}/{version}";
        if (InferPath.TryParse(path, out _, out version)) return version.IsEmpty ? "/v2/models/{model}/infer" : "/v2/models/{model}/versions/{version}/infer";
        return null;
    }

    /// <summary>How a request was answered: 499 if its client left first.</summary>
    public static int StatusOf(HttpContext context) =>
        context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted ? StatusCodes.Status499ClientClosedRequest : context.Response.StatusCode;

    /// <summary>Adds what is known when it arrives.</summary>
    public static RequestTrace Describe(RequestTrace trace, HttpRequest request, string? route)
    {
        var span = trace.Span;
        var method = MethodOf(request);
        span.SetTag("http.request.method", method);
        if (method == "HTTP") span.SetTag("http.request.method", "_OTHER").SetTag("http.request.method_original", request.Method);
        span.SetTag("http.route", route).SetTag("url.path", request.Path.Value).SetTag("url.scheme", request.Scheme);
        if (request.Host.HasValue) span.SetTag("server.address", request.Host.Host).SetTag("server.port", request.Host.Port);
        span.SetTag("client.address", request.HttpContext.Connection.RemoteIpAddress?.ToString());
        span.SetTag("network.protocol.version", request.Protocol is ['H', 'T', 'T', 'P', '/', .. var version] ? version : null);
        return trace;
    }

    /// <summary>Adds how it was answered.</summary>
    public static void Complete(RequestTrace trace, int status)
    {
        trace.Span.SetTag("http.response.status_code", status);
        if (status < 500) return;
        trace.Span.SetTag("error.type", status.ToString(CultureInfo.InvariantCulture));
        trace.Span.SetStatus(ActivityStatusCode.Error);
    }

    // The conventions' set: whatever else a client sends must not become a name.
    private static string MethodOf(HttpRequest request) => request.Method switch
    {
        "GET" or "POST" or "PUT" or "HEAD" or "DELETE" or "PATCH" or "OPTIONS" or "CONNECT" or "TRACE" => request.Method,
        _ => "HTTP",
    };
}
