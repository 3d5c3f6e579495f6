using Google.Protobuf;
using Microsoft.AspNetCore.Http;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting;

public sealed class BriefCallsTests
{
    private const string Tensors = "/inference.GRPCInferenceService/ModelInfer";
    private const string Predictions = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions";
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;

    private static readonly byte[] Raw = new ModelInferRequest { ModelName = "m", RawInputContents = { ByteString.CopyFrom(new byte[200_000]) } }.ToByteArray();
    private static readonly byte[] Typed = new ModelInferRequest { ModelName = "m", Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "x", Contents = new InferTensorContents { Fp32Contents = { new float[50_000] } } } } }.ToByteArray();
    private static readonly byte[] Small = new ModelInferRequest { ModelName = "m" }.ToByteArray();
    private static readonly byte[] ManyFields = [.. Small, .. Enumerable.Repeat<byte[]>([0x3A, 0], 40_000).SelectMany(static field => field)];

    public static TheoryData<string, byte[], bool> Calls => new()
    {
        { Tensors, Raw, true },
        { Tensors, Typed, false },
        { Tensors, ManyFields, false },
        { Tensors, Small, true },
        { Predictions, Small, true },
        { Predictions, Raw, false },
        { "/inference.GRPCInferenceService/ModelStreamInfer", Small, false },
        { "/inference.GRPCInferenceService/RepositoryModelLoad", Small, false },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task What_is_looked_at_quickly_stays_on_the_thread_that_reads(string path, byte[] message, bool stays)
    {
        await using var stand = Stand();
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. Body(1, message)[..15]]);
        await stand.SendAsync(Body(1, message).AsMemory(15));
        Assert.Equal(stays, Contain(stand, 1, path));
    }

    [Fact]
    public async Task A_call_does_not_stay_while_others_wait_behind_it()
    {
        await using var stand = Stand();
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Request(1, Raw), .. Request(3, Raw)]);
        Assert.False(Contain(stand, 1, Tensors));
        await stand.SendAsync(Request(5, Raw));
        Assert.True(Contain(stand, 5, Tensors));
        await stand.SendAsync((byte[])[.. Request(7, Raw), .. Request(9, Raw)[..5_000]]);
        Assert.False(Contain(stand, 7, Tensors));
        await stand.SendAsync((byte[])[.. Request(9, Raw)[5_000..], .. Request(11, Small)[..5]]);
        Assert.False(Contain(stand, 9, Tensors));
    }

    [Fact]
    public async Task A_call_whose_message_is_not_there_or_not_known_does_not_stay()
    {
        await using var stand = Stand();
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Request(1, Raw)]);
        Assert.True(Contain(stand, 1, Tensors, coding: "identity"));
        await stand.SendAsync(Request(3, Raw));
        Assert.False(Contain(stand, 3, Tensors, coding: "gzip"));
        await stand.SendAsync(Request(5, Raw));
        Assert.False(Contain(stand, 5, Tensors, length: 200));

        // What is whole when it is seen lies with Kestrel, behind the head.
        await stand.SendAsync(Request(9, Small));
        Assert.False(Contain(stand, 9, Tensors));

        // A header block in two frames is Kestrel's at once.
        await stand.SendAsync((byte[])[.. FrameStand.Frame(FrameHead.Headers, 0, 11, 0xAA), .. FrameStand.Frame(FrameHead.Continuation, EndHeaders, 11, 0xAA)]);
        Assert.False(Contain(stand, 11, Tensors));
    }

    [Fact]
    public async Task A_large_message_that_has_no_place_does_not_stay()
    {
        await using var stand = new FrameStand();
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Request(1, Raw)]);
        Assert.False(Contain(stand, 1, Tensors));
    }

    [Fact]
    public void A_call_on_a_connection_that_is_all_Kestrels_does_not_stay() =>
        Assert.False(BriefCalls.Contain(new DefaultHttpContext { Request = { Path = Tensors } }, body: null));

    private static FrameStand Stand() => new((_, length) => RequestPayload.Rent(length));

    private static bool Contain(FrameStand stand, int stream, string path, long? length = null, string? coding = null)
    {
        var (body, context) = stand.Take(stream, length: length);
        context.Request.Path = path;
        if (coding is not null) context.Request.Headers.GrpcEncoding = coding;
        return BriefCalls.Contain(context, body);
    }

    private static byte[] Request(int stream, byte[] message) => [.. Head(stream), .. Body(stream, message)];

    private static byte[] Head(int stream) => FrameStand.Frame(FrameHead.Headers, EndHeaders, stream, 0xAA);

    private static byte[] Body(int stream, byte[] message)
    {
        var pieces = FrameStand.Message(message).Chunk(FrameStand.MaxFrameBytes).ToArray();
        return [.. pieces.SelectMany((piece, i) => FrameStand.Frame(FrameHead.Data, i == pieces.Length - 1 ? EndStream : (byte)0, stream, piece))];
    }
}
