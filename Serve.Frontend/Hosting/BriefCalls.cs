using System.Buffers;
using Microsoft.AspNetCore.Http;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.OpenInference.Infer.Grpc;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Which calls stay on the thread of their socket: those that run a model, where looking at their message takes no longer than
/// waking another thread would, and nothing waits behind them. docs/decisions/0007 has the rule for REST.
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
        if (StreamBodies.Of(context) is not { IsMoreWaiting: false }) return false;
        var path = context.Request.Path.Value;
        var message = body is null ? default : body.Placed;
        return path switch
        {
            // The parser's part of the message is small unless the tensors are typed.
            Tensors => message.Length <= BriefBytes || TensorCall.BytesToParse(new ReadOnlySequence<byte>(message)) <= BriefBytes,
            Predictions => message.Length <= BriefBytes,
            _ => false,
        } && context.Request.ContentLength is null or <= BriefBytes;
    }
}
