using System.Buffers;
using Google.Protobuf;
using Grpc.Core;
using Serve.Core.Errors;
using Serve.Management.Grpc;

namespace Serve.Frontend.Grpc;

/// <summary>What becomes of the parts of an answer: one message, or one each.</summary>
internal interface IAnswer
{
    /// <summary>Takes the next part; the bytes may be used again afterwards.</summary>
    ValueTask AddAsync(ReadOnlyMemory<byte> part);
}

/// <summary>One message with all parts.</summary>
/// <param name="mostBytes">The most that the parts of an answer in parts may have together.</param>
internal sealed class WholeAnswer(long mostBytes) : IAnswer
{
    private ByteString? _first;
    private ArrayBufferWriter<byte>? _all;

    public PredictionResponse Message => new() { Prediction = _all is { } all ? UnsafeByteOperations.UnsafeWrap(all.WrittenMemory) : _first };

    public ValueTask AddAsync(ReadOnlyMemory<byte> part)
    {
        if (_first is null)
        {
            _first = ByteString.CopyFrom(part.Span);
            return ValueTask.CompletedTask;
        }

        if (_all is null)
        {
            _all = new ArrayBufferWriter<byte>();
            _all.Write(_first.Span);
        }

        if (_all.WrittenCount + (long)part.Length > mostBytes) throw new ServeException(507, "PredictionException", $"The answer in parts has more than {mostBytes} bytes (maxRequestSize), too many for one message; call StreamPredictions.");
        _all.Write(part.Span);
        return ValueTask.CompletedTask;
    }
}

/// <summary>A message for each part, written when it is there.</summary>
/// <param name="messages">The call's stream.</param>
/// <param name="sequence">What all messages name as their sequence; null: nothing.</param>
/// <param name="cancellation">Cancelled when the client leaves.</param>
internal sealed class StreamedAnswer(IServerStreamWriter<PredictionResponse> messages, string? sequence, CancellationToken cancellation) : IAnswer
{
    public ValueTask AddAsync(ReadOnlyMemory<byte> part) => new(messages.WriteAsync(Named(new PredictionResponse { Prediction = ByteString.CopyFrom(part.Span) }), cancellation));

    /// <summary>Says why there is no answer, or no more of it.</summary>
    public Task FailAsync(ServeException error) =>
        messages.WriteAsync(Named(new PredictionResponse { Status = new Google.Rpc.Status { Code = (int)GrpcStatus.CodeOf(error.Status), Message = error.Message } }), cancellation);

    private PredictionResponse Named(PredictionResponse message)
    {
        if (sequence is not null) message.SequenceId = sequence;
        return message;
    }
}
