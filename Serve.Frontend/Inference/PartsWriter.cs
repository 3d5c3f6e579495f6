using System.IO.Pipelines;
using Serve.Core.Models;

namespace Serve.Frontend.Inference;

/// <summary>Writes an answer in parts as the body of a response without a length: each part is on its way to the client before the next is taken.</summary>
internal static class PartsWriter
{
    /// <summary>Writes all parts.</summary>
    /// <param name="writer">The response's body; its headers are set.</param>
    /// <param name="first">The first part, which stays the caller's.</param>
    /// <param name="parts">The others.</param>
    /// <param name="clientGone">Cancelled when the client leaves.</param>
    /// <exception cref="Core.Errors.ServeException">The answer breaks off.</exception>
    public static async ValueTask WriteAsync(PipeWriter writer, InferenceResponse first, AnswerParts parts, CancellationToken clientGone)
    {
        await WriteAsync(first.Body);
        while (await parts.NextAsync() is { } part)
        {
            using (part)
            {
                await WriteAsync(part.Body);
            }
        }

        ValueTask WriteAsync(ReadOnlyMemory<byte> body)
        {
            var write = writer.WriteAsync(body, clientGone);
            if (!write.IsCompletedSuccessfully) return parts.UntilWrittenAsync(write.AsTask());
            write.GetAwaiter().GetResult();
            return ValueTask.CompletedTask;
        }
    }
}
