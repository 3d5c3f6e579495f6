using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Serve.Core.Models;
using Serve.Core.Observability;

namespace Serve.Frontend.Metrics;

/// <summary>What Prometheus scrapes.</summary>
internal static class MetricsRoutes
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public static void MapMetrics(this IEndpointRouteBuilder routes, ModelRegistry registry) =>
        routes.MapGet("/metrics", context => ScrapeAsync(context, registry)).WithTags("Metrics").WithSummary("All metrics, or those that name[] asks for, as Prometheus text");

    private static async Task ScrapeAsync(HttpContext context, ModelRegistry registry)
    {
        registry.ObserveDevices();
        using var text = new MemoryStream();
        await ServeMetrics.Registry.CollectAndExportAsTextAsync(text, context.RequestAborted);
        var names = context.Request.Query["name[]"];
        var answer = names.Count == 0
            ? text.GetBuffer().AsMemory(0, (int)text.Length)
            : MetricsFilter.Keep(text.GetBuffer().AsSpan(0, (int)text.Length), names);

        context.Response.ContentType = ContentType;
        context.Response.ContentLength = answer.Length;
        await context.Response.BodyWriter.WriteAsync(answer, context.RequestAborted);
    }
}
