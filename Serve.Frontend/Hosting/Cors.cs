using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Management.Http;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Lets pages of other origins call a listener (the Fetch standard, section 3.3). Only where origins are configured: without
/// them there is nothing in the way of a request.
/// </summary>
internal sealed class Cors(ServerConfiguration configuration, HttpMetrics metrics)
{
    // A browser asks again after this time, in seconds; none keeps it for longer than two hours.
    private static readonly StringValues MaxAge = "7200";

    private readonly bool _allowsAll = configuration.CorsAllowedOrigin.Contains("*");
    private readonly HashSet<string> _origins = configuration.CorsAllowedOrigin.ToHashSet(StringComparer.Ordinal);
    private readonly StringValues _methods = string.Join(", ", configuration.CorsAllowedMethods);
    private readonly StringValues _headers = string.Join(", ", configuration.CorsAllowedHeaders);

    /// <summary>Whether any origin is allowed.</summary>
    public static bool IsConfigured(ServerConfiguration configuration) => configuration.CorsAllowedOrigin.Count > 0;

    /// <summary>Puts it before everything else of a listener: browsers ask without a token.</summary>
    public RequestDelegate Before(RequestDelegate next) => context =>
    {
        var isAllowed = Allow(context);
        return isAllowed && IsPreflight(context.Request) ? AnswerPreflight(context) : next(context);
    };

    // Every answer to an allowed origin has the headers, errors too: the page could not read why it failed otherwise.
    private bool Allow(HttpContext context)
    {
        var headers = context.Response.Headers;
        if (!_allowsAll) headers.Vary = "Origin";
        if (context.Request.Headers.Origin is not [{ } origin]) return false;
        if (!_allowsAll && !_origins.Contains(origin)) return false;

        headers.AccessControlAllowOrigin = _allowsAll ? "*" : origin;
        headers.AccessControlAllowMethods = _methods;
        headers.AccessControlAllowHeaders = _headers;
        return true;
    }

    private static bool IsPreflight(HttpRequest request) =>
        HttpMethods.IsOptions(request.Method) && request.Headers.AccessControlRequestMethod.Count > 0;

    private Task AnswerPreflight(HttpContext context)
    {
        CommonHeaders.Apply(context);
        context.Response.Headers.AccessControlMaxAge = MaxAge;
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        metrics.Answered(StatusCodes.Status204NoContent);
        return Task.CompletedTask;
    }
}
