using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Trace;
using Serve.Core.Configuration;
using Serve.Core.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Tracing;

/// <summary>Traces inference requests, over HTTP and gRPC: begins and ends a span for each that is sampled, and sends what comes of it to a collector.</summary>
internal sealed class ServerTracing : IDisposable
{
    // For what is made and on its way, when the server stops.
    private const int LastExportMilliseconds = 3000;

    private readonly TracerProvider _provider;
    private readonly ExportWarnings _warnings;
    private readonly TraceWriter _writer = new(TimeProvider.System);

    private ServerTracing(TracingOptions options, ILogger log)
    {
        Sampler = new RequestSampler(options.Ratio, options.FollowsParent);
        _warnings = new ExportWarnings(options.Endpoint, TimeProvider.System, log);
        _provider = TraceExport.Start(options);
    }

    /// <summary>Which requests are traced.</summary>
    public RequestSampler Sampler { get; }

    /// <summary>Begins to trace; null: no collector is configured.</summary>
    /// <exception cref="ConfigurationException">What is configured cannot be used.</exception>
    public static ServerTracing? Start(TracingConfiguration configuration, ILogger log) =>
        TracingOptions.Of(configuration, Environment.GetEnvironmentVariable) is { } options ? new ServerTracing(options, log) : null;

    /// <summary>What is noted of a request; null: it is not traced. Hot path.</summary>
    public static RequestTrace? Of(HttpContext context) => SpanSource.IsOn ? context.Features.Get<RequestTrace>() : null;

    /// <summary>Begins a request's span, if the request is sampled. Hot path.</summary>
    public RequestTrace? Begin(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        var headers = context.Request.Headers;
        if (!Sampler.IsSampled(headers.TraceParent, headers.TraceState, out var parent)) return null;
        var route = HttpSpan.RouteOf(context);
        return Begin(context, HttpSpan.NameOf(context.Request, route), parent, started) is { } trace ? HttpSpan.Describe(trace, context.Request, route) : null;
    }

    /// <summary>Begins a call's span, if the call is sampled and one that runs a model.</summary>
    public RequestTrace? BeginCall(HttpContext context)
    {
        if (!RpcSpan.IsInference(context.Request.Path)) return null;
        var started = Stopwatch.GetTimestamp();
        var headers = context.Request.Headers;
        if (!Sampler.IsSampled(headers.TraceParent, headers.TraceState, out var parent)) return null;
        return Begin(context, RpcSpan.NameOf(context.Request), parent, started) is { } trace ? RpcSpan.Describe(trace, context.Request) : null;
    }

    /// <summary>Ends a request's span when the request is answered.</summary>
    /// <param name="answering">The answer.</param>
    /// <param name="context">The request.</param>
    /// <param name="trace">What is noted of it.</param>
    public static async Task UntilAnsweredAsync(Task answering, HttpContext context, RequestTrace trace)
    {
        try
        {
            await answering;
            HttpSpan.Complete(trace, HttpSpan.StatusOf(context));
        }
        catch (Exception e)
        {
            HttpSpan.Complete(trace, ErrorResponse.From(e, context).Status);
            throw;
        }
        finally
        {
            trace.End(Stopwatch.GetTimestamp());
        }
    }

    /// <summary>Sends what there is, within a few seconds, and ends.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        _provider.Shutdown(LastExportMilliseconds);
        _provider.Dispose();
        _warnings.Dispose();
    }

    private RequestTrace? Begin(HttpContext context, string name, in ActivityContext parent, long started)
    {
        if (SpanSource.Start(name, ActivityKind.Server, parent) is not { } span) return null;
        span.SetTag(SpanTags.RequestId, CommonHeaders.IdOf(context));
        var trace = new RequestTrace(span, started, _writer);
        context.Features.Set(trace);
        return trace;
    }
}
