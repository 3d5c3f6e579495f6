using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Frontend.Inference;

namespace Serve.Frontend.Grpc;

/// <summary>What a client asks for one call: by the metadata that are REST's headers, and by the call's deadline.</summary>
internal static class CallOptions
{
    /// <summary>Reads priority and timeout; the deadline (<c>grpc-timeout</c>) counts where it is earlier.</summary>
    /// <exception cref="ResponseTimeoutException">The deadline has passed.</exception>
    public static InferenceOptions Read(ServerCallContext context) => RequestOptions.Read(context.GetHttpContext().Request.Headers).Within(context);

    /// <summary>What was asked for, and no later than the call's deadline.</summary>
    /// <exception cref="ResponseTimeoutException">The deadline has passed.</exception>
    public static InferenceOptions Within(this InferenceOptions options, ServerCallContext context)
    {
        if (context.Deadline == DateTime.MaxValue) return options;

        var left = context.Deadline - DateTime.UtcNow;
        if (left <= TimeSpan.Zero) throw new ResponseTimeoutException("The call's deadline has passed.");
        return options.Timeout is { } timeout && timeout < left ? options : options with { Timeout = left };
    }
}
