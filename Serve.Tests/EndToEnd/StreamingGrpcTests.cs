using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>Answers in parts over gRPC.</summary>
[Collection(nameof(SteppedServer))]
public sealed class StreamingGrpcTests : IDisposable
{
    private readonly ServerFixture _server;
    private readonly Steps.Worker _handler;
    private readonly GrpcChannel _channel;
    private readonly InferenceAPIsService.InferenceAPIsServiceClient _inference;

    public StreamingGrpcTests(SteppedServer server, ITestOutputHelper output)
    {
        (_server, _handler) = (server.Server, server.Handler);
        _server.ShowLogs(output);
        _channel = GrpcChannel.ForAddress(_server.GrpcInference);
        _inference = new(_channel);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _channel.Dispose();

    [Fact]
    public async Task Each_part_is_a_message_that_comes_before_the_next_one_is_made()
    {
        using var call = _inference.StreamPredictions(Request("a"), cancellationToken: Cancellation);
        await _handler.ExpectAsync("begin a");
        foreach (var part in (string[])["one", "two", "three"])
        {
            await _handler.PartAsync("a", part);
            Assert.Equal(part, await NextAsync(call.ResponseStream));
        }

        await _handler.DoAsync("end a");
        Assert.Null(await NextAsync(call.ResponseStream));
    }

    [Fact]
    public async Task A_client_that_cancels_stops_the_work()
    {
        using var call = _inference.StreamPredictions(Request("a"), cancellationToken: Cancellation);
        await _handler.ExpectAsync("begin a");
        await _handler.PartAsync("a", "one");
        Assert.Equal("one", await NextAsync(call.ResponseStream));

        call.Dispose();
        await _handler.ExpectAsync("cancelled a");
        await _handler.DoAsync("part a two", " False");
    }

    [Fact]
    public async Task A_stream_that_breaks_off_says_why()
    {
        using var call = _inference.StreamPredictions(Request("a"), cancellationToken: Cancellation);
        await _handler.ExpectAsync("begin a");
        await _handler.PartAsync("a", "one");
        await _handler.DoAsync("fail a");

        Assert.Equal("one", await NextAsync(call.ResponseStream));
        var error = await Assert.ThrowsAsync<RpcException>(() => NextAsync(call.ResponseStream));
        Assert.Equal((StatusCode.Internal, "The handler failed with InvalidOperationException: It broke half-way."), (error.StatusCode, error.Status.Detail));
    }

    [Fact]
    public async Task A_stream_whose_worker_dies_says_so()
    {
        using var steps = new Steps();
        var handler = await steps.ServeAsync(_server, "killed-over-grpc");
        using var call = _inference.StreamPredictions(Request("a", "killed-over-grpc"), cancellationToken: Cancellation);
        await handler.ExpectAsync("begin a");
        await handler.PartAsync("a", "one");
        Signals.Kill((await _server.WorkerPidsAsync("killed-over-grpc")).Single());

        Assert.Equal("one", await NextAsync(call.ResponseStream));
        var error = await Assert.ThrowsAsync<RpcException>(() => NextAsync(call.ResponseStream));
        Assert.Equal(StatusCode.Internal, error.StatusCode);
        Assert.Contains("in the middle of the answer", error.Status.Detail, StringComparison.Ordinal);
        await steps.NextAsync();
    }

    [Fact]
    public async Task A_call_for_one_message_gets_all_parts_together()
    {
        var call = _inference.PredictionsAsync(Request("a"), cancellationToken: Cancellation);
        await _handler.ExpectAsync("begin a");
        await _handler.PartAsync("a", "one");
        await _handler.PartAsync("a", "two");
        await _handler.DoAsync("end a three");
        Assert.Equal("onetwothree", (await call).Prediction.ToStringUtf8());
    }

    [Fact]
    public async Task Requests_of_one_call_are_answered_in_their_order_and_fail_alone()
    {
        using var call = _inference.StreamPredictions2(cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(Request("a", sequence: "s1"), Cancellation);
        await call.RequestStream.WriteAsync(Request("b", "nothing", sequence: "s2"), Cancellation);
        await call.RequestStream.WriteAsync(Request("c"), Cancellation);
        await call.RequestStream.CompleteAsync();

        await _handler.ExpectAsync("begin a");
        await _handler.PartAsync("a", "1");
        Assert.Equal(("1", "s1"), await AnswerAsync());
        await _handler.DoAsync("end a 2");
        Assert.Equal(("2", "s1"), await AnswerAsync());
        Assert.Equal(("5 Model not found: nothing", "s2"), await AnswerAsync());
        await _handler.ExpectAsync("begin c");
        await _handler.DoAsync("end c 3");
        Assert.Equal(("3", ""), await AnswerAsync());
        Assert.Null(await NextAsync(call.ResponseStream));

        async Task<(string Text, string Sequence)> AnswerAsync()
        {
            Assert.True(await call.ResponseStream.MoveNext(Cancellation));
            var answer = call.ResponseStream.Current;
            return (answer.Status is { } status ? $"{status.Code} {status.Message}" : answer.Prediction.ToStringUtf8(), answer.SequenceId);
        }
    }

    private static PredictionsRequest Request(string body, string model = SteppedServer.Model, string? sequence = null)
    {
        var request = new PredictionsRequest { ModelName = model, Input = { ["data"] = ByteString.CopyFromUtf8(body) } };
        if (sequence is not null) request.SequenceId = sequence;
        return request;
    }

    private static async Task<string?> NextAsync(IAsyncStreamReader<PredictionResponse> messages) =>
        await messages.MoveNext(Cancellation) ? messages.Current.Prediction.ToStringUtf8() : null;
}
