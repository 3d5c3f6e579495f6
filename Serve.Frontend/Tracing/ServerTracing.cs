using System.Diagnostics;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Tracing;
using Serve.Frontend.Commands;

namespace Serve.Frontend.Tracing;

/// <summary>Traces inference requests, over HTTP and gRPC: begins and ends a span for each that is sampled, and sends what comes of it to a collector.</summary>
internal sealed class ServerTracing : IDisposable
{
    private readonly OtlpExport _export;
    private readonly TraceWriter _writer;

    private ServerTracing(TracingOptions options, ILogger log)
    {
        Sampler = new RequestSampler(options.Ratio, options.FollowsParent);
        _export = new OtlpExport(options, TimeProvider.System, log);
        _writer = new TraceWriter(options.Gathering with { Resource = options.Resource, Version = ServeCommandLine.Version }, _export, TimeProvider.System);
    }

    /// <summary>Which requests are traced.</summary>
    public RequestSampler Sampler { get; }

    /// <summary>Begins to trace; null: no collector is configured.</summary>
    /// <exception cref="ConfigurationException">What is configured cannot be used.</exception>
    public static ServerTracing? Start(TracingConfiguration configuration, ILogger log) =>
        TracingOptions.Of(configuration, Environment.GetEnvironmentVariable) is { } options ? new ServerTracing(options, log) : null;

    /// <summary>What is noted of a request or call that was begun with its context; null: it is not traced.</summary>
    public static RequestTrace? Of(HttpContext context) => TraceWriter.IsOn ? context.Features.Get<RequestTrace>() : null;

    /// <summary>Begins a request's span, if the request is sampled, for an endpoint that passes it on. Hot path.</summary>
    public RequestTrace? Begin(HttpContext context)
    {
        var headers = context.Request.Headers;
        return Sampler.IsSampled(headers.TraceParent, headers.TraceState, out var parent) ? Begin(new HttpSpan(context), parent) : null;
    }

    /// <summary>Begins a request's span, if the request is sampled, and keeps it with the request (<see cref="Of"/>).</summary>
    public void BeginWith(HttpContext context)
    {
        if (Begin(context) is { } trace) context.Features.Set(trace);
    }

    /// <summary>Begins a call's span, if the call is sampled and one that runs a model, and keeps it with the call (<see cref="Of"/>).</summary>
    public RequestTrace? BeginCall(HttpContext context)
    {
        if (!RpcSpan.IsInference(context.Request.Path)) return null;
        var headers = context.Request.Headers;
        if (!Sampler.IsSampled(headers.TraceParent, headers.TraceState, out var parent)) return null;
        var trace = Begin(new RpcSpan(context), parent);
        context.Features.Set(trace);
        return trace;
    }

    /// <summary>Ends a request's span.</summary>
    /// <param name="trace">What is noted of the request.</param>
    /// <param name="status">How it was answered: 499 if its client left first.</param>
    /// <param name="timestamp">When.</param>
    public static void End(RequestTrace trace, int status, long timestamp)
    {
        ((HttpSpan)trace.Description).Status = status;
        trace.End(timestamp);
    }

    /// <summary>Ends a call's span.</summary>
    public static void EndCall(RequestTrace trace, StatusCode status)
    {
        ((RpcSpan)trace.Description).Status = status;
        trace.End(Stopwatch.GetTimestamp());
    }

    /// <summary>Sends what there is, within a few seconds, and ends.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        _export.Dispose();
    }

    private RequestTrace Begin(ISpanDescription span, in TraceParent parent) => new(parent, span, Stopwatch.GetTimestamp(), _writer);
}
