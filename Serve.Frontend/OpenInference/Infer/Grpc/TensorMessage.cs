using System.Buffers;
using Google.Protobuf;
using Grpc.Core;
using Serve.Core.Tensors;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Frontend.OpenInference.Infer.Grpc;

/// <summary>
/// A ModelInferResponse, or the ModelStreamInferResponse around one, as it is written here: its tensors always in
/// raw_output_contents, from where the worker's answer has them to the connection's buffers.
/// </summary>
/// <param name="Head">Everything but the raw contents.</param>
/// <param name="Tensors">The tensors, in the order of the head's outputs.</param>
/// <param name="Owner">Whose memory they are in; disposed of when the message is written. Null: the writer keeps it.</param>
internal sealed record TensorMessage(ModelInferResponse Head, List<AnswerTensor> Tensors, IDisposable? Owner)
{
    // Field number and wire type 2.
    private const byte RawTag = (ModelInferResponse.RawOutputContentsFieldNumber << 3) | 2;
    private const byte ErrorTag = (ModelStreamInferResponse.ErrorMessageFieldNumber << 3) | 2;
    private const byte ResponseTag = (ModelStreamInferResponse.InferResponseFieldNumber << 3) | 2;

    /// <summary>Of a stream: why there is no answer.</summary>
    public string? Error { get; init; }

    /// <summary>The head for tensors.</summary>
    public static ModelInferResponse HeadOf(TensorRequest request, string model, string version, IEnumerable<KeyValuePair<string, string>> parameters, List<AnswerTensor> tensors)
    {
        var head = new ModelInferResponse { ModelName = model, ModelVersion = version, Id = request.Id ?? "" };
        foreach (var (name, value) in parameters) head.Parameters[name] = new InferParameter { StringParam = value };
        foreach (var tensor in tensors)
        {
            var output = new ModelInferResponse.Types.InferOutputTensor { Name = tensor.Name, Datatype = tensor.Element.Datatype() };
            output.Shape.Add(tensor.Shape);
            if (tensor.Requested?.SharedMemory is { } place)
            {
                output.Parameters["shared_memory_region"] = new InferParameter { StringParam = place.Region };
                output.Parameters["shared_memory_byte_size"] = new InferParameter { Int64Param = tensor.Data.Length };
            }

            head.Outputs.Add(output);
        }

        return head;
    }

    /// <summary>Writes a ModelInferResponse.</summary>
    public static void WriteResponse(TensorMessage message, SerializationContext context)
    {
        try
        {
            var bytes = message.ResponseBytes();
            context.SetPayloadLength(checked((int)bytes));
            message.WriteResponse(context.GetBufferWriter());
            context.Complete();
        }
        finally
        {
            message.Owner?.Dispose();
        }
    }

    /// <summary>Writes a ModelStreamInferResponse.</summary>
    public static void WriteStreamed(TensorMessage message, SerializationContext context)
    {
        try
        {
            var response = message.ResponseBytes();
            var bytes = 1 + VarintBytes(response) + response;
            var error = message.Error is { Length: > 0 } text ? ByteString.CopyFromUtf8(text) : ByteString.Empty;
            if (!error.IsEmpty) bytes += 1 + VarintBytes(error.Length) + error.Length;
            context.SetPayloadLength(checked((int)bytes));
            var target = context.GetBufferWriter();
            if (!error.IsEmpty)
            {
                WriteTag(target, ErrorTag, error.Length);
                target.Write(error.Span);
            }

            WriteTag(target, ResponseTag, response);
            message.WriteResponse(target);
            context.Complete();
        }
        finally
        {
            message.Owner?.Dispose();
        }
    }

    private long ResponseBytes()
    {
        long bytes = Head.CalculateSize();
        foreach (var tensor in Tensors)
        {
            var data = DataOf(tensor);
            bytes += 1 + VarintBytes(data.Length) + data.Length;
        }

        return bytes;
    }

    private void WriteResponse(IBufferWriter<byte> target)
    {
        Head.WriteTo(target);
        foreach (var tensor in Tensors)
        {
            var data = DataOf(tensor);
            WriteTag(target, RawTag, data.Length);
            target.Write(data.Span);
        }
    }

    // One in shared memory has an entry that is empty.
    private static ReadOnlyMemory<byte> DataOf(in AnswerTensor tensor) => tensor.Requested?.SharedMemory is null ? tensor.Data : default;

    private static void WriteTag(IBufferWriter<byte> target, byte tag, long length)
    {
        var room = target.GetSpan(11);
        room[0] = tag;
        var at = 1;
        var left = (ulong)length;
        for (; left >= 0x80; left >>= 7) room[at++] = (byte)(left | 0x80);
        room[at++] = (byte)left;
        target.Advance(at);
    }

    private static int VarintBytes(long value)
    {
        var bytes = 1;
        for (; value >= 0x80; value >>= 7) bytes++;
        return bytes;
    }
}
