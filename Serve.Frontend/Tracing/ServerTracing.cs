using System.Diagnostics;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Tracing;
using Serve.Frontend.Commands;
using Serve.Management.Http;

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

    /// <summary>What is noted of a request; null: it is not traced. It is looked for long: where requests are many, it is passed on instead.</summary>
    public static RequestTrace? Of(HttpContext context) => TraceWriter.IsOn ? context.Features.Get<RequestTrace>() : null;

    /// <summary>Begins a request's span, if the request is sampled. Hot path.</summary>
    public RequestTrace? Begin(HttpContext context)
    {
        var headers = context.Request.Headers;
        return Sampler.IsSampled(headers.TraceParent, headers.TraceState, out var parent) ? Begin(context, new HttpSpan(context), parent) : null;
    }

    /// <summary>Begins a call's span, if the call is sampled and one that runs a model.</summary>
    public RequestTrace? BeginCall(HttpContext context)
    {
        if (!RpcSpan.IsInference(context.Request.Path)) return null;
        var headers = context.Request.Headers;
        return Sampler.IsSampled(headers.TraceParent, headers.TraceState, out var parent) ? Begin(context, new RpcSpan(context), parent) : null;
    }

    /// <summary>Ends a request's span when the request is answered.</summary>
    /// <param name="answering">The answer.</param>
    /// <param name="context">The request.</param>
    /// <param name="trace">What is noted of it.</param>
    public static async Task UntilAnsweredAsync(Task answering, HttpContext context, RequestTrace trace)
    {
        var span = (HttpSpan)trace.Description;
        try
        {
            await answering;
            span.Status = HttpSpan.StatusOf(context);
        }
        catch (Exception e)
        {
            span.Status = ErrorResponse.From(e, context).Status;
            throw;
        }
        finally
        {
            trace.End(Stopwatch.GetTimestamp());
        }
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

    private RequestTrace Begin(HttpContext context, ISpanDescription span, in TraceParent parent)
    {
        var trace = new RequestTrace(parent, span, Stopwatch.GetTimestamp(), _writer);
        context.Features.Set(trace);
        return trace;
    }
}
