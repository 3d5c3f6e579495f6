using Google.Protobuf;
using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Grpc;

namespace Serve.Frontend.Grpc;

/// <summary>The messages with which a call is answered: one for each part, written when the part is there.</summary>
/// <param name="messages">The call's stream.</param>
/// <param name="sequence">What all messages name as their sequence; null: nothing.</param>
/// <param name="cancellation">Cancelled when the client leaves.</param>
internal sealed class AnswerStream(IServerStreamWriter<PredictionResponse> messages, string? sequence, CancellationToken cancellation)
{
    /// <summary>Writes an answer, which stays the caller's.</summary>
    /// <returns>Bytes of all its parts.</returns>
    public async Task<long> WriteAsync(InferenceResponse answer)
    {
        await WriteAsync(answer.Body);
        if (answer.Parts is not { } parts) return answer.Body.Length;
        while (await parts.NextAsync() is { } part)
        {
            using (part) await WriteAsync(part.Body);
        }

        return parts.Bytes;
    }

    /// <summary>Says why there is no answer, or no more of it.</summary>
    public Task FailAsync(ServeException error) => WriteAsync(new PredictionResponse { Status = new Google.Rpc.Status { Code = (int)GrpcStatus.CodeOf(error.Status), Message = error.Message } });

    private Task WriteAsync(ReadOnlyMemory<byte> part) => WriteAsync(new PredictionResponse { Prediction = ByteString.CopyFrom(part.Span) });

    private Task WriteAsync(PredictionResponse message)
    {
        if (sequence is not null) message.SequenceId = sequence;
        return messages.WriteAsync(message, cancellation);
    }
}
