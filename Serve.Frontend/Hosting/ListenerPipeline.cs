using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Hosting;

/// <summary>
/// What surrounds the routes of one listener: common headers, JSON errors for everything that goes wrong, counting, and
/// the access log. Inference endpoints do their own recording and error handling (<see cref="SelfContained"/>): one
/// asynchronous layer less on the hot path.
/// </summary>
internal sealed partial class ListenerPipeline(Listener listener, bool inline, AnswerRecorder answers, ILogger log)
{
    /// <summary>Metadata of an endpoint that never throws and records its own answers.</summary>
    public sealed class SelfContained
    {
        public static readonly SelfContained Instance = new();
    }

    /// <summary>Builds the pipeline over routes of its own, which no other listener sees.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="map">Adds the routes.</param>
    /// <param name="direct">Asked before routing; answers a request by itself, as a <see cref="SelfContained"/> endpoint does, or returns null.</param>
    public RequestDelegate Build(IServiceProvider services, Action<IEndpointRouteBuilder> map, Func<HttpContext, Task?>? direct = null)
    {
        var app = new ApplicationBuilder(services);
        app.UseRouting();
        app.UseEndpoints(routes =>
        {
            var group = routes.MapGroup("");
            ((IEndpointConventionBuilder)group).Finally(Surround);
            if (listener.Guard is { } tokens) group.WithMetadata(tokens); // for the API's description
            map(group);
            listener.Routes = routes.DataSources;
        });
        app.Run(Guard(static _ => throw new ResourceNotFoundException()));
        var routed = app.Build();

        var guard = listener.Guard;
        return context =>
        {
            CommonHeaders.Apply(context);
            if (guard is not null && !guard.Allows(context)) return RefuseAsync(context);
            if (direct?.Invoke(context) is { } answered) return answered;
            var task = routed(context);

            // Routing itself answers a wrong verb: 405 with Allow and no body, and completes at once.
            return task.IsCompletedSuccessfully && IsBareMethodNotAllowed(context) ? RefuseMethodAsync(context) : task;
        };
    }

    private void Surround(EndpointBuilder endpoint)
    {
        if (endpoint.Metadata.Contains(SelfContained.Instance)) return;
        if (endpoint.RequestDelegate is { } handler) endpoint.RequestDelegate = Guard(handler);
    }

    private RequestDelegate Guard(RequestDelegate handler) => async context =>
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            // On the socket's own thread one slow call would stall every connection that the thread serves.
            if (inline) await SocketThread.LeaveAsync();
            await handler(context);
            answers.Answered(context, context.Response.StatusCode, started, Stopwatch.GetTimestamp(), ServerTracing.Of(context));
        }
        catch (Exception e)
        {
            var error = ErrorResponse.From(e, context);
            var trace = ServerTracing.Of(context);
            if (error.Status == 500 && e is not ServeException)
            {
                using (LogTrace.Of(trace)) LogUnexpected(e, context.Request.Method, context.Request.Path, CommonHeaders.IdOf(context));
            }

            answers.Answered(context, await ErrorResponse.WriteAsync(context, error), started, Stopwatch.GetTimestamp(), trace);
        }
    };

    private static bool IsBareMethodNotAllowed(HttpContext context) =>
        context.Response is { StatusCode: StatusCodes.Status405MethodNotAllowed, HasStarted: false, ContentLength: null };

    private async Task RefuseMethodAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        answers.Answered(context, await ErrorResponse.WriteAsync(context, new MethodNotAllowedException()), started, Stopwatch.GetTimestamp(), trace: null);
    }

    private async Task RefuseAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        listener.Metrics.Unauthorized();
        answers.Answered(context, await ErrorResponse.WriteAsync(context, new InvalidKeyException()), started, Stopwatch.GetTimestamp(), trace: null);
    }

    [LoggerMessage(1, LogLevel.Error, "{Method} {Path} failed unexpectedly, request {RequestId}")]
    private partial void LogUnexpected(Exception exception, string method, string path, string? requestId);
}
