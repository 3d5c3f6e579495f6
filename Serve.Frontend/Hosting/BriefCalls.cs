using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.OpenInference.Infer.Grpc;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Which calls stay on the thread that reads their connection: those that run a model, whose whole message is there and is
/// looked at in less time than it takes to wake another thread, and behind which nothing waits. docs/decisions/0007 has the
/// rule for REST.
/// </summary>
internal static class BriefCalls
{
    private const int BriefBytes = 64 << 10;
    private const string Tensors = $"/{InferMethods.Service}/ModelInfer";
    private const string Predictions = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions";

    /// <summary>Whether a call stays.</summary>
    /// <param name="context">The call.</param>
    /// <param name="body">Its body, where Kestrel does not have it.</param>
    public static bool Contain(HttpContext context, StreamBody? body)
    {
        if (StreamBodies.Of(context) is not { } bodies || context.Features.Get<IHttp2StreamIdFeature>() is not { } stream || bodies.OnlyStream != stream.StreamId) return false;

        // What is packed may be of any size.
        if (context.Request.Headers.GrpcEncoding is { Count: > 0 } coding && coding != "identity") return false;
        var isTensors = context.Request.Path.Value == Tensors;
        if (!isTensors && context.Request.Path.Value != Predictions) return false;

        // What Kestrel has is not read before Kestrel goes on. The parser's part of tensors is small unless they are typed.
        var message = body?.Placed ?? default;
        return !message.IsEmpty && (message.Length <= BriefBytes || (isTensors && !TensorCall.IsMoreToParse(new ReadOnlySequence<byte>(message), BriefBytes)));
    }
}
