using System.Buffers;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Memory;
using Serve.Core.Protocol;

namespace Serve.Frontend.Inference;

/// <summary>Copies a request's body, once, as it arrives, into the payload that lives until the answer. Hot path.</summary>
internal static class BodyReceiver
{
    // What a client announces is believed up to here; beyond, the buffer grows with what has really arrived.
    private const int MostRentedAhead = 1 << 20;

    /// <summary>A payload for a body of the announced length.</summary>
    /// <param name="request">The request.</param>
    /// <param name="limitBytes">The most bytes of a body.</param>
    /// <param name="bodies">Where the version's workers read bodies; null: nowhere, or the version is not known yet.</param>
    /// <exception cref="PayloadTooLargeException">It is announced to be too large; none of it is read.</exception>
    public static RequestPayload Rent(HttpRequest request, long limitBytes, SharedBodies? bodies = null)
    {
        var announced = request.ContentLength ?? 0;
        if (announced > limitBytes) throw new PayloadTooLargeException(limitBytes);

        // Of shared memory no more is taken than is written, whatever is announced.
        return RequestPayload.Rent((int)Math.Min(announced, MostRentedAhead), bodies?.TryTake(announced));
    }

    /// <summary>Reads the body to its end.</summary>
    /// <exception cref="PayloadTooLargeException">A body of unannounced length grew beyond the limit.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public static async ValueTask ReceiveAsync(HttpContext context, RequestPayload payload, long limitBytes)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            var arrived = result.Buffer;
            var tooLarge = payload.Body.Length + arrived.Length > limitBytes;
            if (!tooLarge) foreach (var segment in arrived) payload.Write(segment.Span);

            // Also when it is refused: the server reads the rest, so that the client sees the answer and not a reset.
            reader.AdvanceTo(arrived.End);
            if (tooLarge) throw new PayloadTooLargeException(limitBytes);
            if (result.IsCompleted) return;
        }
    }
}
