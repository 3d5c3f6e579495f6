using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Logging;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Core.Tracing;
using Serve.Management.Http;

namespace Serve.Management.Grpc;

/// <summary>Turns what a method throws into the status that its client gets.</summary>
/// <param name="log">Where unexpected errors are told.</param>
/// <param name="idOf">A call's id, for the log.</param>
/// <param name="traceOf">A call's trace, likewise; null: it is not traced.</param>
internal sealed partial class ErrorInterceptor(ILogger log, Func<ServerCallContext, string?> idOf, Func<ServerCallContext, RequestTrace?> traceOf) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Rpc(e, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Rpc(e, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw Rpc(e, context, readsStream: true);
        }
    }

    private RpcException Rpc(Exception e, ServerCallContext context, bool readsStream = false)
    {
        var error = GrpcStatus.From(e, context, readsStream);
        if (error.Status == 500 && e is not ServeException)
        {
            using (LogTrace.Of(traceOf(context))) LogUnexpected(e, context.Method, idOf(context));
        }

        return GrpcStatus.ToRpc(OpenInferenceError.IsForGrpc(context.Method) ? OpenInferenceError.Of(error) : error);
    }

    [LoggerMessage(1, LogLevel.Error, "{Method} failed unexpectedly, request {RequestId}")]
    private partial void LogUnexpected(Exception exception, string method, string? requestId);
}
