using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Prometheus;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Frontend.Metrics.TorchServe;
using Serve.Management.Http.OpenApi;

namespace Serve.Frontend.Metrics;

/// <summary>What Prometheus scrapes.</summary>
internal static class MetricsRoutes
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Maps <c>GET /metrics</c>, and what describes it.</summary>
    /// <param name="routes">The metrics listener's routes.</param>
    /// <param name="registry">The models.</param>
    /// <param name="torchServe">TorchServe's names beside our own; null: without them.</param>
    public static void MapMetrics(this IEndpointRouteBuilder routes, ModelRegistry registry, TorchServeMetrics? torchServe)
    {
        routes.MapOpenApi("What Prometheus scrapes.");
        routes.MapGet("/metrics", context => ScrapeAsync(context, registry, torchServe)).WithTags("Metrics").WithSummary("All metrics, or those that name[] asks for")
            .Describes(new ApiOperation("metrics")
            {
                Parameters = [new("name[]", ApiType.Strings, "Names of metrics; without any, all of them.")],
                Answers = [new(StatusCodes.Status200OK, "Prometheus text; OpenMetrics for those who accept application/openmetrics-text.", new ApiContent("text/plain", ApiShape.Text))],
            });
    }

    private static async Task ScrapeAsync(HttpContext context, ModelRegistry registry, TorchServeMetrics? torchServe)
    {
        registry.Observe();
        var isOpen = OpenMetricsText.IsWanted(context.Request);
        using var text = new MemoryStream();
        await ServeMetrics.Registry.CollectAndExportAsTextAsync(text, isOpen ? ExpositionFormat.OpenMetricsText : ExpositionFormat.PrometheusText, context.RequestAborted);

        // The library ends the document, in which there is more to come.
        if (isOpen) text.SetLength(text.Length - OpenMetricsText.End.Length);
        Add(CustomMetricsText.Write(registry.AllVersions));
        if (torchServe is not null) Add(torchServe.Write());
        if (isOpen) text.Write(OpenMetricsText.End);
        var names = context.Request.Query["name[]"];
        var answer = names.Count == 0
            ? text.GetBuffer().AsMemory(0, (int)text.Length)
            : MetricsFilter.Keep(text.GetBuffer().AsSpan(0, (int)text.Length), names, isOpen);

        context.Response.ContentType = isOpen ? OpenMetricsText.ContentType : ContentType;
        context.Response.ContentLength = answer.Length;
        context.Response.Headers.Vary = "Accept";
        await context.Response.BodyWriter.WriteAsync(answer, context.RequestAborted);

        void Add(byte[] plain) => text.Write(isOpen ? OpenMetricsText.From(plain) : plain);
    }
}
