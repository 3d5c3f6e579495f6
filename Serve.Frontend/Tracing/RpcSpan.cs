using System.Globalization;
using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Serve.Core.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Tracing;

/// <summary>The server span of a gRPC call, by OpenTelemetry's semantic conventions.</summary>
internal sealed class RpcSpan : ISpanDescription
{
    private readonly string _name;
    private readonly HostString _host;
    private readonly IPAddress? _client;
    private readonly string? _requestId;

    /// <summary>Keeps what is known when it arrives.</summary>
    public RpcSpan(HttpContext context)
    {
        // inference.GRPCInferenceService/ModelInfer
        _name = context.Request.Path.Value![1..];
        (_host, _client, _requestId) = (context.Request.Host, context.Connection.RemoteIpAddress, CommonHeaders.IdOf(context));
    }

    /// <inheritdoc/>
    public bool IsServer => true;

    /// <summary>How it ended.</summary>
    public StatusCode Status { get; set; }

    /// <summary>Whether a call runs models: the others are not traced, health checks above all.</summary>
    public static bool IsInference(string? path) => path is
        "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions"
        or "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions"
        or "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions2"
        or "/inference.GRPCInferenceService/ModelInfer"
        or "/inference.GRPCInferenceService/ModelStreamInfer";

    /// <inheritdoc/>
    public void WriteTo(OtlpSpans span)
    {
        var slash = _name.IndexOf('/', StringComparison.Ordinal);
        span.Name(_name);
        span.Attribute(SpanTags.RequestId, _requestId);
        span.Attribute("rpc.system"u8, "grpc");
        span.Attribute("rpc.service"u8, _name[..slash]);
        span.Attribute("rpc.method"u8, _name[(slash + 1)..]);
        span.Address(_host, _client);
        span.Attribute("rpc.grpc.status_code"u8, (int)Status);
        if (Status is not (StatusCode.Unknown or StatusCode.DeadlineExceeded or StatusCode.Unimplemented or StatusCode.Internal or StatusCode.Unavailable or StatusCode.DataLoss)) return;
        span.Attribute(SpanTags.Error, ((int)Status).ToString(CultureInfo.InvariantCulture));
        span.Failed();
    }
}
