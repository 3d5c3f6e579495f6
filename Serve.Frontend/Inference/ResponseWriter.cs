using System.Buffers;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Models;

namespace Serve.Frontend.Inference;

/// <summary>Writes a worker's answer. Hot path: a small one is written without waiting for anything.</summary>
internal static class ResponseWriter
{
    private const int ChunkBytes = 64 << 10;

    /// <summary>Writes status, headers and body; an answer in parts chunked, each part when it is there.</summary>
    public static ValueTask WriteAsync(HttpContext context, InferenceResponse answer)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        if (answer.ContentType is { } type) Set(response, "Content-Type", type);
        foreach (var (name, value) in answer.Headers) SetHandlers(response, name, value);

        // These statuses have no body, whatever the handler gave.
        if (answer.Status is < 200 or StatusCodes.Status204NoContent or StatusCodes.Status304NotModified) return ValueTask.CompletedTask;
        if (answer.Parts is { } parts) return PartsWriter.WriteAsync(response.BodyWriter, answer, parts, context.RequestAborted);
        response.ContentLength = answer.Body.Length;
        if (answer.Body.Length > ChunkBytes) return WriteChunksAsync(context, answer.Body);

        // Not flushed: the server does it at the end of the request, together with the headers.
        response.BodyWriter.Write(answer.Body.Span);
        return ValueTask.CompletedTask;
    }

    // In pieces, so that a slow client holds back the copying and not another copy of the whole answer.
    private static async ValueTask WriteChunksAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        for (var at = 0; at < body.Length; at += ChunkBytes)
        {
            var written = await context.Response.BodyWriter.WriteAsync(body.Slice(at, Math.Min(ChunkBytes, body.Length - at)), context.RequestAborted);

            // Kestrel takes what is written after the end of a connection without a word, and cancels the request a moment later.
            if (written.IsCompleted) throw new ClientGoneException();
        }
    }

    private static void SetHandlers(HttpResponse response, string name, string value)
    {
        // How the answer travels is the server's business.
        if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)
            || name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase)
            || name.Equals("Connection", StringComparison.OrdinalIgnoreCase)) return;
        Set(response, name, value);
    }

    private static void Set(HttpResponse response, string name, string value)
    {
        try
        {
            response.Headers[name] = value;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            throw new InternalServerException($"The handler answered with a header that HTTP cannot carry: {name}.", e);
        }
    }
}
