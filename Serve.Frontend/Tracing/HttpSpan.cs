using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Tracing;
using Serve.Frontend.Inference;
using Serve.Frontend.OpenInference.Infer;
using Serve.Management.Http;

namespace Serve.Frontend.Tracing;

/// <summary>
/// The server span of an HTTP request, by OpenTelemetry's semantic conventions. Neither the query nor any header but those
/// named is in it. What the request has is kept as it is; it becomes text on the writer's thread.
/// </summary>
internal sealed class HttpSpan : ISpanDescription
{
    private readonly Parts _parts;
    private readonly string? _requestId;

    /// <summary>Keeps what is known when it arrives.</summary>
    public HttpSpan(HttpContext context)
    {
        var request = context.Request;
        _parts = new Parts(request.Method, RouteOf(context), request.Path.Value, request.Scheme, request.Host.Value, context.Connection.RemoteIpAddress, request.Protocol);
        _requestId = CommonHeaders.IdOf(context);
    }

    /// <inheritdoc/>
    public bool IsServer => true;

    /// <summary>How it was answered.</summary>
    public int Status { get; set; }

    /// <inheritdoc/>
    public void WriteTo(OtlpSpans span)
    {
        span.Repeated(_parts, static (span, parts) => parts.WriteTo(span));
        span.Attribute(SpanTags.RequestId, _requestId);
        span.Attribute("http.response.status_code"u8, Status);
        if (Status < 500) return;
        span.Attribute(SpanTags.Error, Status.ToString(CultureInfo.InvariantCulture));
        span.Failed();
    }

    // What routing has found, or what was answered before it. Null: neither.
    private static string? RouteOf(HttpContext context)
    {
        if (context.GetEndpoint() is RouteEndpoint routed) return routed.RoutePattern.RawText;
        var path = context.Request.Path.Value;
        if (PredictionPath.TryParse(path, out _, out var version)) return version.IsEmpty ? "/predictions/{model}" : "/predictions/{model}/{version}";
        if (InferPath.TryParse(path, out _, out version)) return version.IsEmpty ? "/v2/models/{model}/infer" : "/v2/models/{model}/versions/{version}/infer";
        return null;
    }

    /// <summary>What one request after the other mostly has in common.</summary>
    private readonly record struct Parts(string Method, string? Route, string? Path, string Scheme, string? Host, IPAddress? Client, string Protocol)
    {
        public void WriteTo(OtlpSpans span)
        {
            // The conventions' set: whatever else a client sends must not become a name.
            var isKnown = Method is "GET" or "POST" or "PUT" or "HEAD" or "DELETE" or "PATCH" or "OPTIONS" or "CONNECT" or "TRACE";
            var name = isKnown ? Method : "HTTP";
            if (Route is null) span.Name(name);
            else span.Name(name, Route);
            span.Attribute("http.request.method"u8, isKnown ? Method : "_OTHER");
            if (!isKnown) span.Attribute("http.request.method_original"u8, Method);
            span.Attribute("http.route"u8, Route);
            span.Attribute("url.path"u8, Path);
            span.Attribute("url.scheme"u8, Scheme);
            span.Address(new HostString(Host!), Client);
            if (Protocol.StartsWith("HTTP/", StringComparison.Ordinal)) span.Attribute("network.protocol.version"u8, Protocol["HTTP/".Length..]);
        }
    }
}
