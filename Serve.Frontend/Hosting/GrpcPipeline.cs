using System.Diagnostics;
using System.Globalization;
using Google.Protobuf;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.Logging;
using Serve.Frontend.Tracing;
using Serve.Management.Grpc;
using Serve.Management.Http;

namespace Serve.Frontend.Hosting;

/// <summary>
/// What surrounds the services of one gRPC listener: status codes for everything that goes wrong, bounds, counting, and the
/// access log. It is built when the first call comes, out of services of its own: a server that nobody calls over gRPC has
/// neither its start time nor its memory.
/// </summary>
internal sealed class GrpcPipeline : IDisposable
{
    // A message has names and lengths besides the inputs.
    private const int MessageOverheadBytes = 64 << 10;

    private readonly Listener _listener;
    private readonly bool _accessLog;
    private readonly bool _inline;
    private readonly ServerTracing? _tracing;
    private readonly ILogger _log;
    private readonly Lazy<(ServiceProvider Services, RequestDelegate Answer)> _built;

    /// <param name="listener">The listener.</param>
    /// <param name="maxRequestBytes">The most that one request's inputs may have.</param>
    /// <param name="accessLog">Whether each call is logged.</param>
    /// <param name="inline">Whether brief calls run on the threads that read their connections.</param>
    /// <param name="tracing">Traces calls that run models; null: none.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="register">Adds the services, as singletons.</param>
    /// <param name="map">Maps them.</param>
    public GrpcPipeline(Listener listener, long maxRequestBytes, bool accessLog, bool inline, ServerTracing? tracing, ILoggerFactory loggers, Action<IServiceCollection> register, Action<IEndpointRouteBuilder> map)
    {
        (_listener, _accessLog, _inline, _tracing) = (listener, accessLog, inline, tracing);
        _log = loggers.CreateLogger($"Serve.{listener.Name}");
        _built = new(() => Build((int)maxRequestBytes + MessageOverheadBytes, loggers, register, map));
    }

    /// <summary>Answers a call.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        // Then frames may wait for what this does, on whatever thread it is.
        var isInline = StreamBodies.Of(context) is { AreStreamsInline: true } || SocketThread.IsCurrent;
        if (_inline) InlineStreams.Apply(context);
        var body = StreamBodies.Take(context);
        try
        {
            // Building what answers takes long, too.
            if (isInline && !(_inline && _built.IsValueCreated && BriefCalls.Contain(context, body))) await SocketThread.LeaveAsync();
            await AnswerCallAsync(context);
        }
        finally
        {
            if (body is not null) await body.EndAsync();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_built.IsValueCreated) _built.Value.Services.Dispose();
    }

    private Task AnswerCallAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        CommonHeaders.ApplyId(context);
        if (_listener.Guard is { } guard && !guard.Allows(context))
        {
            Refuse(context.Response);
            Answered(context, StatusCode.Unauthenticated, started);
            return Task.CompletedTask;
        }

        var (services, answer) = _built.Value;
        context.RequestServices = services;
        return AnswerCallAsync(context, answer, started);
    }

    private async Task AnswerCallAsync(HttpContext context, RequestDelegate answer, long started)
    {
        var trace = _tracing?.BeginCall(context);
        try
        {
            await answer(context);
        }
        finally
        {
            var code = CodeOf(context);
            if (code == StatusCode.Unknown && IsMalformed(context)) code = BlameMessage(context.Response);
            if (trace is not null) ServerTracing.EndCall(trace, code ?? StatusCode.Unknown);
            Answered(context, code, started);
        }
    }

    private (ServiceProvider Services, RequestDelegate Answer) Build(int mostBytes, ILoggerFactory loggers, Action<IServiceCollection> register, Action<IEndpointRouteBuilder> map)
    {
        var services = new ServiceCollection();
        services.AddSingleton(loggers);
        services.AddLogging();
        var diagnostics = new DiagnosticListener("Serve.Grpc");
        services.AddSingleton(diagnostics).AddSingleton<DiagnosticSource>(diagnostics);
        services.AddSingleton(new ErrorInterceptor(_log, static call => CommonHeaders.IdOf(call.GetHttpContext()), static call => ServerTracing.Of(call.GetHttpContext())));
        services.AddGrpc(grpc =>
        {
            // Of what is packed, unpacked.
            grpc.MaxReceiveMessageSize = mostBytes;
            grpc.MaxSendMessageSize = null;
            grpc.Interceptors.Add<ErrorInterceptor>();
        });
        services.AddGrpcReflection();
        register(services);
        var provider = services.BuildServiceProvider();

        var app = new ApplicationBuilder(provider);
        app.UseRouting();
        app.UseEndpoints(routes =>
        {
            map(routes);
            routes.MapGrpcReflectionService();
        });
        return (provider, app.Build());
    }

    private static StatusCode? CodeOf(HttpContext context)
    {
        if (context.RequestAborted.IsCancellationRequested) return StatusCode.Cancelled;
        return context.Features.Get<IServerCallContextFeature>()?.ServerCallContext.Status.StatusCode;
    }

    private void Answered(HttpContext context, StatusCode? code, long started)
    {
        _listener.Metrics.Answered(code is { } known ? GrpcStatus.HttpOf(known) : context.Response.StatusCode);
        if (!_accessLog) return;
        var ended = Stopwatch.GetTimestamp();
        using var ofTrace = LogTrace.Of(ServerTracing.Of(context));
        new AccessLine(
            context.Connection.RemoteIpAddress,
            context.Connection.RemotePort,
            null,
            context.Request.Path.Value ?? "",
            context.Request.Protocol,
            (int)(code ?? StatusCode.Unknown),
            (long)Stopwatch.GetElapsedTime(started, ended).TotalMilliseconds,
            CommonHeaders.IdOf(context),
            ended).LogTo(_log);
    }

    // An answer that is nothing but its status ("Trailers-Only"): no message is read, and nothing is built for strangers.
    private void Refuse(HttpResponse response)
    {
        var error = new InvalidKeyException();
        _listener.Metrics.Unauthorized();
        response.ContentType = "application/grpc";
        SetStatus(response, GrpcStatus.CodeOf(error.Status), error.Type, error.Message);
    }

    // The library reads messages before any code of ours is asked, and calls every failure Unknown.
    private static bool IsMalformed(HttpContext context) =>
        context.Features.Get<IServerCallContextFeature>()?.ServerCallContext.Status.DebugException is InvalidProtocolBufferException && !context.Response.HasStarted;

    private static StatusCode BlameMessage(HttpResponse response)
    {
        SetStatus(response, StatusCode.InvalidArgument, "BadRequestException", GrpcStatus.NoMessage);
        return StatusCode.InvalidArgument;
    }

    private static void SetStatus(HttpResponse response, StatusCode code, string type, string message)
    {
        response.Headers["grpc-status"] = ((int)code).ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = message;
        response.Headers[GrpcStatus.ErrorType] = type;
    }
}
