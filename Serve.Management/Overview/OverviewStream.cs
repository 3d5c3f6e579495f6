using Microsoft.AspNetCore.Http;
using Serve.Core.Observability.Sampling;
using Serve.Management.Authorization;

namespace Serve.Management.Overview;

/// <summary>An answer that goes on: one event for each overview (server-sent events; HTML, section 9.2).</summary>
internal static class OverviewStream
{
    /// <summary>The media type.</summary>
    public const string MediaType = "text/event-stream";

    /// <summary>
    /// Writes until the client leaves, its token is withdrawn or expires, or the server stops. Each write waits until the client
    /// has read enough of those before: one that does not read costs its connection's buffer, and misses overviews.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="first">The first overview.</param>
    /// <param name="listener">Where the others come from.</param>
    /// <param name="stopped">Cancelled when the server stops.</param>
    public static async Task WriteAsync(HttpContext context, OverviewSample first, SharedFeed<OverviewSample>.Listener listener, CancellationToken stopped)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopped);
        var isWriting = false;
        context.Response.ContentType = MediaType;
        try
        {
            var token = context.Features.Get<OpeningToken>();
            for (var sample = first; sample is not null && token is not { IsValid: false }; sample = await listener.NextAsync(ends.Token))
            {
                isWriting = true;
                await context.Response.BodyWriter.WriteAsync(sample.Event, ends.Token);
                isWriting = false;
            }
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // The client has left, as it may at any time; or the server stops, and does not wait for one that does not read.
            if (isWriting) context.Abort();
        }
    }
}
