using Google.Protobuf;
using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Management.Grpc;

namespace Serve.Frontend.Grpc;

/// <summary>The messages with which a call is answered: one for each part, written when the part is there.</summary>
/// <param name="messages">The call's stream.</param>
/// <param name="call">The call.</param>
/// <param name="sequence">What all messages name as their sequence; null: nothing.</param>
internal sealed class AnswerStream(IServerStreamWriter<PredictionResponse> messages, ServerCallContext call, string? sequence)
{
    /// <summary>Writes an answer, which stays the caller's.</summary>
    /// <returns>Bytes of all its parts.</returns>
    public async Task<long> WriteAsync(InferenceResponse answer)
    {
        var write = WriteAsync(answer.Body);
        if (answer.Parts is not { } parts)
        {
            await write;
            return answer.Body.Length;
        }

        try
        {
            await parts.UntilWrittenAsync(write);
            while (await parts.NextAsync() is { } part)
            {
                using (part) await parts.UntilWrittenAsync(write = WriteAsync(part.Body));
            }
        }
        catch (ServeException) when (!write.IsCompleted)
        {
            // The client takes nothing: it cannot be told either.
            call.GetHttpContext().Abort();
            throw;
        }

        return parts.Bytes;
    }

    /// <summary>Says why there is no answer, or no more of it.</summary>
    public Task FailAsync(ServeException error) => WriteAsync(new PredictionResponse { Status = new Google.Rpc.Status { Code = (int)GrpcStatus.CodeOf(error.Status), Message = error.Message } });

    private Task WriteAsync(ReadOnlyMemory<byte> part) => WriteAsync(new PredictionResponse { Prediction = ByteString.CopyFrom(part.Span) });

    private Task WriteAsync(PredictionResponse message)
    {
        if (sequence is not null) message.SequenceId = sequence;
        return messages.WriteAsync(message, call.CancellationToken);
    }
}
