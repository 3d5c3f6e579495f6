using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Serve.Core.Tracing;

namespace Serve.Frontend.Tracing;

/// <summary>The server span of a gRPC call, by OpenTelemetry's semantic conventions.</summary>
internal static class RpcSpan
{
    /// <summary>Whether a call runs models: the others are not traced, health checks above all.</summary>
    public static bool IsInference(string? path) => path is
        "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions"
        or "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions"
        or "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions2"
        or "/inference.GRPCInferenceService/ModelInfer"
        or "/inference.GRPCInferenceService/ModelStreamInfer";

    /// <summary><c>inference.GRPCInferenceService/ModelInfer</c>.</summary>
    public static string NameOf(HttpRequest request) => request.Path.Value![1..];

    /// <summary>Adds what is known when it arrives.</summary>
    public static RequestTrace Describe(RequestTrace trace, HttpRequest request)
    {
        var name = NameOf(request);
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        trace.Span.SetTag("rpc.system", "grpc").SetTag("rpc.service", name[..slash]).SetTag("rpc.method", name[(slash + 1)..]);
        if (request.Host.HasValue) trace.Span.SetTag("server.address", request.Host.Host).SetTag("server.port", request.Host.Port);
        trace.Span.SetTag("client.address", request.HttpContext.Connection.RemoteIpAddress?.ToString());
        return trace;
    }

    /// <summary>Adds how it ended.</summary>
    public static void Complete(RequestTrace trace, StatusCode code)
    {
        trace.Span.SetTag("rpc.grpc.status_code", (int)code);
        if (code is not (StatusCode.Unknown or StatusCode.DeadlineExceeded or StatusCode.Unimplemented or StatusCode.Internal or StatusCode.Unavailable or StatusCode.DataLoss)) return;
        trace.Span.SetTag("error.type", ((int)code).ToString(CultureInfo.InvariantCulture));
        trace.Span.SetStatus(ActivityStatusCode.Error);
    }
}
