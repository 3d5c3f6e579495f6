using System.Buffers;
using Google.Protobuf;
using Grpc.Core;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Frontend.OpenInference.Infer;
using Serve.Frontend.OpenInference.Infer.Grpc;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Fuzzing;
using InputMessage = Serve.Frontend.OpenInference.Messages.ModelInferRequest.Types.InferInputTensor;

namespace Serve.Tests.Frontend.OpenInference;

/// <summary>The messages that are read and written by hand are those of the generated code.</summary>
public sealed class GrpcMessageTests
{
    private const long MostBytes = 1 << 20;

    [Fact]
    public void A_request_in_pieces_is_read_with_its_raw_contents_in_the_payload() => FuzzRun.Run(200, static random =>
    {
        var message = new ModelInferRequest { ModelName = "m", ModelVersion = "1", Id = "42", Parameters = { ["priority"] = new InferParameter { Int64Param = 3 } } };
        List<byte[]> tensors = [];
        for (var i = random.Next(4); i > 0; i--)
        {
            var tensor = new byte[random.Next(3) switch { 0 => 0, 1 => random.Next(200), _ => 70_000 }];
            random.NextBytes(tensor);
            tensors.Add(tensor);
            message.Inputs.Add(new InputMessage { Name = $"i{i}", Datatype = "UINT8", Shape = { tensor.Length } });
        }

        message.RawInputContents.Add(tensors.Select(tensor => ByteString.CopyFrom(tensor)));
        var call = TensorCall.Read(InPieces(message.ToByteArray(), random));
        try
        {
            Assert.Equal(tensors, call.Raw.Select(place => call.Payload.Body.Span.Slice(place.Offset, place.Length).ToArray()));
            message.RawInputContents.Clear();
            Assert.Equal(message, call.Message);
            var request = GrpcRequest.Read(call, MostBytes);
            Assert.Equal(("42", 3UL), (request.Id, request.Priority));
            Assert.Equal(tensors.Select(tensor => tensor.Length), request.Inputs.Select(input => input.Length));
        }
        finally
        {
            call.Payload.Release();
        }
    });

    [Fact]
    public void Damaged_messages_are_refused_or_read_as_the_parser_would() => FuzzRun.Run(2000, static random =>
    {
        var good = new ModelInferRequest { ModelName = "m", Id = "1", Inputs = { new InputMessage { Name = "x", Datatype = "FP32", Shape = { 2 }, Contents = new InferTensorContents { Fp32Contents = { 1, 2 } } } }, RawInputContents = { ByteString.CopyFromUtf8("abcdefgh") } }.ToByteArray();
        var bad = Mutator.Mutate(random, good, good, [[0x3A], [0x3A, 0xFF], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0x80], [0x08]]);
        ModelInferRequest? expected = null;
        try
        {
            expected = ModelInferRequest.Parser.ParseFrom(bad);
        }
        catch (InvalidProtocolBufferException)
        {
            // Then it must not be read here either.
        }

        if (expected is null)
        {
            Assert.Throws<InvalidProtocolBufferException>(() => TensorCall.Read(InPieces(bad, random)));
            return;
        }

        var call = TensorCall.Read(InPieces(bad, random));
        Assert.Equal(expected.RawInputContents.Select(raw => raw.ToByteArray()), call.Raw.Select(place => call.Payload.Body.Span.Slice(place.Offset, place.Length).ToArray()));
        expected.RawInputContents.Clear();
        Assert.Equal(expected, call.Message);
        try
        {
            GrpcRequest.Read(call, MostBytes);
        }
        catch (BadRequestException e)
        {
            Assert.NotEmpty(e.Message);
        }

        call.Payload.Release();
    });

    [Fact]
    public void Typed_contents_become_their_bytes()
    {
        Check("BOOL", "0100", new InferTensorContents { BoolContents = { true, false } });
        Check("INT8", "807F", new InferTensorContents { IntContents = { -128, 127 } });
        Check("INT16", "0080FF7F", new InferTensorContents { IntContents = { -32768, 32767 } });
        Check("INT32", "00000080FFFFFF7F", new InferTensorContents { IntContents = { int.MinValue, int.MaxValue } });
        Check("INT64", "0000000000000080FFFFFFFFFFFFFF7F", new InferTensorContents { Int64Contents = { long.MinValue, long.MaxValue } });
        Check("UINT8", "00FF", new InferTensorContents { UintContents = { 0, 255 } });
        Check("UINT16", "0000FFFF", new InferTensorContents { UintContents = { 0, 65535 } });
        Check("UINT32", "00000000FFFFFFFF", new InferTensorContents { UintContents = { 0, uint.MaxValue } });
        Check("UINT64", "0000000000000000FFFFFFFFFFFFFFFF", new InferTensorContents { Uint64Contents = { 0, ulong.MaxValue } });
        Check("FP32", "0000803F0000C07F", new InferTensorContents { Fp32Contents = { 1, BitConverter.Int32BitsToSingle(0x7FC00000) } });
        Check("FP64", "000000000000F03F0000000000000080", new InferTensorContents { Fp64Contents = { 1, -0.0 } });
        Check("BYTES", "000000000100000061", new InferTensorContents { BytesContents = { ByteString.Empty, ByteString.CopyFromUtf8("a") } });

        static void Check(string datatype, string bytes, InferTensorContents contents)
        {
            var call = Call(new InputMessage { Name = "x", Datatype = datatype, Shape = { 2 }, Contents = contents });
            var input = GrpcRequest.Read(call, MostBytes).Inputs[0];
            Assert.Equal(bytes, Convert.ToHexString(call.Payload.Body.Span.Slice(input.Offset, input.Length)));
            call.Payload.Release();
        }
    }

    // A byte in the message for each.
    [Fact]
    public void Typed_contents_that_grow_beyond_the_limit_are_refused()
    {
        var whole = new InputMessage { Name = "x", Datatype = "INT64", Shape = { 128 }, Contents = new InferTensorContents { Int64Contents = { new long[128] } } };
        var texts = new InputMessage { Name = "x", Datatype = "BYTES", Shape = { 128 }, Contents = new InferTensorContents { BytesContents = { Enumerable.Repeat(ByteString.CopyFromUtf8("abcd"), 128) } } };
        foreach (var input in (InputMessage[])[whole, texts])
        {
            var call = Call(input);
            Assert.Throws<PayloadTooLargeException>(() => GrpcRequest.Read(call, 1023));
            call.Payload.Release();
            call = Call(input);
            Assert.Equal(1024, Assert.Single(GrpcRequest.Read(call, 1024).Inputs).Length);
            call.Payload.Release();
        }
    }

    [Fact]
    public void Parameters_of_tensors_that_mean_nothing_may_have_no_value()
    {
        var input = new InputMessage { Name = "x", Datatype = "INT8", Shape = { 1 }, Contents = new InferTensorContents { IntContents = { 1 } }, Parameters = { ["mine"] = new InferParameter() } };
        var call = Call(input);
        call.Message.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "y", Parameters = { ["mine"] = new InferParameter(), ["classification"] = new InferParameter { Int64Param = 2 } } });

        Assert.Equal(2, Assert.Single(GrpcRequest.Read(call, MostBytes).Outputs).Classes);
        call.Payload.Release();
    }

    [Fact]
    public void What_is_no_tensor_is_refused()
    {
        Refused("raw_input_contents", new InputMessage { Name = "x", Datatype = "FP16", Shape = { 1 }, Contents = new InferTensorContents { Fp32Contents = { 1 } } });
        Refused("not of its datatype 'INT32'", new InputMessage { Name = "x", Datatype = "INT32", Shape = { 1 }, Contents = new InferTensorContents { Fp32Contents = { 1 } } });
        Refused("not of its datatype", new InputMessage { Name = "x", Datatype = "INT32", Shape = { 1 }, Contents = new InferTensorContents { IntContents = { 1 }, Fp32Contents = { 1 } } });
        Refused("128 is not a whole number from -128 to 127", new InputMessage { Name = "x", Datatype = "INT8", Shape = { 1 }, Contents = new InferTensorContents { IntContents = { 128 } } });
        Refused("needs 2 elements, and 'contents' has 1", new InputMessage { Name = "x", Datatype = "INT8", Shape = { 2 }, Contents = new InferTensorContents { IntContents = { 1 } } });
        Refused("needs 1 elements, and 'contents' has 0", new InputMessage { Name = "x", Datatype = "INT8", Shape = { 1 } });
        Refused("a dimension is negative", new InputMessage { Name = "x", Datatype = "INT8", Shape = { -1 } });
        Refused("too many elements", new InputMessage { Name = "x", Datatype = "INT8", Shape = { long.MaxValue, long.MaxValue } });
        Refused("is no datatype", new InputMessage { Name = "x", Datatype = "FP8", Shape = { 1 } });
        Refused("name of an input", new InputMessage { Datatype = "INT8", Shape = { 1 } });
        Refused("has no value", new InputMessage { Name = "x", Datatype = "INT8", Shape = { 1 }, Parameters = { ["shared_memory_region"] = new InferParameter() } });

        var mixed = new InputMessage { Name = "x", Datatype = "INT8", Shape = { 1 }, Contents = new InferTensorContents { IntContents = { 1 } } };
        Refused("contents field must not be specified when using raw_input_contents", mixed, [1]);
        Refused("expected 1 raw_input_contents", new InputMessage { Name = "x", Datatype = "INT8", Shape = { 1 } }, [1], [2]);

        static void Refused(string message, InputMessage input, params byte[][] raw)
        {
            var call = Call(input, raw);
            Assert.Contains(message, Assert.Throws<BadRequestException>(() => GrpcRequest.Read(call, MostBytes)).Message, StringComparison.Ordinal);
            call.Payload.Release();
        }
    }

    [Fact]
    public void Answers_are_the_messages_that_the_generated_code_reads()
    {
        var request = new TensorRequest { Id = "7" };
        List<AnswerTensor> tensors =
        [
            new("a", TensorElement.Float32, [2, 0], ReadOnlyMemory<byte>.Empty, null),
            new("b", TensorElement.UInt8, [70_000], new byte[70_000], null),
        ];
        var head = TensorMessage.HeadOf(request, "m", "1.0", [new("finish", "length")], tensors);

        var response = ModelInferResponse.Parser.ParseFrom(Written(TensorMessage.WriteResponse, new TensorMessage(head, tensors, null)));
        Assert.Equal(("m", "1.0", "7", "length"), (response.ModelName, response.ModelVersion, response.Id, response.Parameters["finish"].StringParam));
        Assert.Equal([("a", "FP32"), ("b", "UINT8")], response.Outputs.Select(output => (output.Name, output.Datatype)));
        Assert.Equal([0, 70_000], response.RawOutputContents.Select(raw => raw.Length));

        var streamed = ModelStreamInferResponse.Parser.ParseFrom(Written(TensorMessage.WriteStreamed, new TensorMessage(head, tensors, null)));
        Assert.Equal(("", response), (streamed.ErrorMessage, streamed.InferResponse));
        var failed = ModelStreamInferResponse.Parser.ParseFrom(Written(TensorMessage.WriteStreamed, new TensorMessage(new ModelInferResponse { Id = "7" }, [], null) { Error = "why é" }));
        Assert.Equal(("why é", "7"), (failed.ErrorMessage, failed.InferResponse.Id));
    }

    private static TensorCall Call(InputMessage input, params byte[][] raw)
    {
        var message = new ModelInferRequest { ModelName = "m", Inputs = { input } };
        message.RawInputContents.Add(raw.Select(bytes => ByteString.CopyFrom(bytes)));
        return TensorCall.Read(new ReadOnlySequence<byte>(message.ToByteArray()));
    }

    private static byte[] Written(Action<TensorMessage, SerializationContext> write, TensorMessage message)
    {
        var written = new Context();
        write(message, written);
        Assert.Equal(written.Announced, written.Buffer.WrittenCount);
        return written.Buffer.WrittenSpan.ToArray();
    }

    private static ReadOnlySequence<byte> InPieces(byte[] bytes, Random random)
    {
        var first = new Piece(default, null);
        var last = first;
        for (var at = 0; at < bytes.Length;)
        {
            var length = Math.Min(bytes.Length - at, random.Next(1, 40_000));
            last = new Piece(bytes.AsMemory(at, length), last);
            at += length;
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, Piece? before)
        {
            Memory = memory;
            if (before is null) return;
            RunningIndex = before.RunningIndex + before.Memory.Length;
            before.Next = this;
        }
    }

    private sealed class Context : SerializationContext
    {
        public ArrayBufferWriter<byte> Buffer { get; } = new();

        public int Announced { get; private set; }

        public override void SetPayloadLength(int payloadLength) => Announced = payloadLength;

        public override IBufferWriter<byte> GetBufferWriter() => Buffer;

        public override void Complete()
        {
        }

        public override void Complete(byte[] payload) => throw new NotSupportedException();
    }
}
