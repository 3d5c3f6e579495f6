using Google.Protobuf;
using Grpc.Core;
using Serve.Frontend.OpenInference.Messages;
using InputMessage = Serve.Frontend.OpenInference.Messages.ModelInferRequest.Types.InferInputTensor;
using OutputMessage = Serve.Frontend.OpenInference.Messages.ModelInferRequest.Types.InferRequestedOutputTensor;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>Inference over gRPC, as its clients see it.</summary>
[Collection(nameof(InferServer))]
public sealed class InferGrpcTests
{
    private readonly InferServer _models;

    public InferGrpcTests(InferServer models, ITestOutputHelper output)
    {
        _models = models;
        models.Server.ShowLogs(output);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Raw_and_typed_contents_get_raw_answers()
    {
        var raw = InferServer.Request("simple", InferServer.Simple(rows: 2));
        (raw.Id, raw.ModelVersion) = ("42", "1.0");
        var typed = new ModelInferRequest { ModelName = "simple", Id = "42" };
        foreach (var input in InferServer.Simple(rows: 2)) typed.Inputs.Add(new InputMessage { Name = input.Name, Datatype = "INT32", Shape = { 2, 16 }, Contents = new InferTensorContents { IntContents = { input.Elements<int>() } } });

        foreach (var request in (ModelInferRequest[])[raw, typed])
        {
            var response = await _models.Grpc.ModelInferAsync(request, cancellationToken: Cancellation);

            Assert.Equal(("simple", "1.0", "42"), (response.ModelName, response.ModelVersion, response.Id));
            var outputs = InferServer.Outputs(response);
            Assert.Equal([("OUTPUT0", "INT32"), ("OUTPUT1", "INT32")], outputs.Select(output => (output.Name, output.Datatype)));
            Assert.Equal([2, 16], outputs[0].Shape);
            Assert.Equal(Enumerable.Range(0, 32).Select(number => 3 * number), outputs[0].Elements<int>());
            Assert.Equal(Enumerable.Range(0, 32).Select(number => -number), outputs[1].Elements<int>());
            Assert.All(response.Outputs, output => Assert.Null(output.Contents));
        }
    }

    [Fact]
    public async Task Outputs_and_classes_are_those_that_are_asked_for()
    {
        var request = InferServer.Request("simple", InferServer.Simple());
        request.Outputs.Add(new OutputMessage { Name = "OUTPUT0", Parameters = { ["classification"] = new InferParameter { Int64Param = 2 } } });

        var output = Assert.Single(InferServer.Outputs(await _models.Grpc.ModelInferAsync(request, cancellationToken: Cancellation)));

        Assert.Equal(("OUTPUT0", "BYTES", "45:15,42:14"), (output.Name, output.Datatype, string.Join(',', output.Texts())));
        Assert.Equal([1, 2], output.Shape);
    }

    [Fact]
    public async Task A_large_tensor_goes_through()
    {
        var row = WireTensor.Random(new Random(1), "x", "FP32", [2, 500_000], isForJson: false);
        var output = Assert.Single(InferServer.Outputs(await _models.Grpc.ModelInferAsync(InferServer.Request("dynamic", row), cancellationToken: Cancellation)));
        Assert.True(row.Data.AsSpan().SequenceEqual(output.Data));

        var tooLarge = WireTensor.Random(new Random(1), "x", "FP32", [1, 5_000_000], isForJson: false);
        await FailsAsync(StatusCode.ResourceExhausted, "", InferServer.Request("dynamic", tooLarge));
    }

    [Fact]
    public async Task Calls_of_all_sizes_go_through_at_once_on_one_connection_and_some_are_taken_back()
    {
        using var channel = global::Grpc.Net.Client.GrpcChannel.ForAddress(_models.Server.GrpcInference);
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
        await Task.WhenAll(Enumerable.Range(0, 120).Select(async i =>
        {
            var random = new Random(i);
            var row = WireTensor.Random(random, "x", "FP32", [1, random.Next(4) switch { 0 => 1, 1 => random.Next(1, 5_000), 2 => random.Next(1, 200_000), _ => random.Next(1, 900_000) }], isForJson: false);
            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            var call = client.ModelInferAsync(InferServer.Request("dynamic", row), cancellationToken: leaving.Token);
            if (i % 10 == 0) await leaving.CancelAsync();
            try
            {
                var output = Assert.Single(InferServer.Outputs(await call));
                Assert.True(row.Data.AsSpan().SequenceEqual(output.Data), $"the answer to call {i} is another one");
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.Cancelled && i % 10 == 0)
            {
                // It was taken back before it was answered.
            }
        }));
    }

    [Fact]
    public async Task A_client_that_announces_the_length_of_a_call_is_answered()
    {
        using var handler = new SocketsHttpHandler();
        using var client = new HttpMessageInvoker(handler);
        foreach (var elements in (int[])[1, 200_000])
        {
            var row = WireTensor.Random(new Random(elements), "x", "FP32", [1, elements], isForJson: false);
            var message = InferServer.Request("dynamic", row).ToByteArray();
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{_models.Server.GrpcInference}/inference.GRPCInferenceService/ModelInfer") { Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            request.Content = new ByteArrayContent([0, (byte)(message.Length >> 24), (byte)(message.Length >> 16), (byte)(message.Length >> 8), (byte)message.Length, .. message]) { Headers = { ContentType = new("application/grpc") } };
            request.Content.Headers.ContentLength = message.Length + 5;
            request.Headers.TE.Add(new("trailers"));

            using var response = await client.SendAsync(request, Cancellation);
            var answer = await response.Content.ReadAsByteArrayAsync(Cancellation);

            Assert.Equal("0", Assert.Single(response.TrailingHeaders.GetValues("grpc-status")));
            Assert.True(row.Data.AsSpan().SequenceEqual(Assert.Single(InferServer.Outputs(ModelInferResponse.Parser.ParseFrom(answer.AsSpan(5)))).Data));
        }
    }

    [Fact]
    public async Task What_is_wrong_has_its_code_and_its_text()
    {
        var good = InferServer.Simple();
        await FailsAsync(StatusCode.NotFound, "Request for unknown model: 'nobody' is not found", InferServer.Request("nobody", good));
        await FailsAsync(StatusCode.NotFound, "version 9 is not found", new ModelInferRequest(InferServer.Request("simple", good)) { ModelVersion = "9" });
        await FailsAsync(StatusCode.InvalidArgument, "model_name", InferServer.Request("", good));
        await FailsAsync(StatusCode.InvalidArgument, "expected 2 inputs but got 1 inputs for model 'simple'", InferServer.Request("simple", good[..1]));
        await FailsAsync(StatusCode.InvalidArgument, "IDeclaresTensors", InferServer.Request("echo", good));
        await FailsAsync(StatusCode.Unimplemented, "ModelInfer RPC doesn't support models with decoupled transaction policy", InferServer.Request("repeat", Repeat(1)));
        var mixed = InferServer.Request("simple", good);
        mixed.Inputs[0].Contents = new InferTensorContents { IntContents = { good[0].Elements<int>() } };
        await FailsAsync(StatusCode.InvalidArgument, "contents field must not be specified when using raw_input_contents", mixed);
        var reserved = InferServer.Request("simple", good);
        reserved.Parameters["triton_x"] = new InferParameter { BoolParam = true };
        await FailsAsync(StatusCode.InvalidArgument, "triton_", reserved);
        var late = InferServer.Request("simple", good);
        late.Parameters["timeout"] = new InferParameter { Int64Param = 1 };
        await FailsAsync(StatusCode.Unavailable, "", late);
        Assert.DoesNotContain(_models.Server.Log, line => line.Contains("failed unexpectedly", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_message_that_is_none_is_the_clients_fault()
    {
        var bytes = Marshallers.Create(static (byte[] message) => message, static message => message);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "inference.GRPCInferenceService", "ModelInfer", bytes, bytes);
        using var channel = global::Grpc.Net.Client.GrpcChannel.ForAddress(_models.Server.GrpcInference);
        foreach (var message in (byte[][])[[0], [0x0A, 0x7F, 1], [0x3A, 0x7F, 1], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]])
        {
            var error = await Assert.ThrowsAsync<RpcException>(async () => await channel.CreateCallInvoker().AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Cancellation), message));
            Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        }
    }

    [Fact]
    public async Task A_message_of_a_stream_that_is_none_is_the_clients_fault()
    {
        var bytes = Marshallers.Create(static (byte[] message) => message, static message => message);
        using var channel = global::Grpc.Net.Client.GrpcChannel.ForAddress(_models.Server.GrpcInference);
        foreach (var name in (string[])["inference.GRPCInferenceService/ModelStreamInfer", "org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions2"])
        {
            var method = new Method<byte[], byte[]>(MethodType.DuplexStreaming, name.Split('/')[0], name.Split('/')[1], bytes, bytes);
            using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(method, null, new CallOptions(cancellationToken: Cancellation));
            await call.RequestStream.WriteAsync([0x0A, 0x7F, 1], Cancellation);

            var error = await Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.MoveNext(Cancellation));
            Assert.Equal((StatusCode.InvalidArgument, "The request is not a valid message of this method."), (error.StatusCode, error.Status.Detail));
        }
    }

    [Fact]
    public async Task Names_are_shown_cut()
    {
        var name = new string('x', 5000);
        await ShownAsync(StatusCode.NotFound, () => _models.Grpc.ModelInferAsync(InferServer.Request(name, InferServer.Simple()), cancellationToken: Cancellation));
        await ShownAsync(StatusCode.NotFound, () => _models.Grpc.ModelInferAsync(new ModelInferRequest(InferServer.Request("simple", InferServer.Simple())) { ModelVersion = name }, cancellationToken: Cancellation));
        await ShownAsync(StatusCode.NotFound, () => _models.Grpc.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = name }, cancellationToken: Cancellation));
        await ShownAsync(StatusCode.InvalidArgument, () => _models.Grpc.RepositoryModelLoadAsync(new RepositoryModelLoadRequest { ModelName = "simple", Parameters = { [name] = new() } }, cancellationToken: Cancellation));
        await ShownAsync(StatusCode.InvalidArgument, () => _models.Grpc.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = "simple", Parameters = { [name] = new() } }, cancellationToken: Cancellation));
        await ShownAsync(StatusCode.InvalidArgument, () => _models.Grpc.LogSettingsAsync(new LogSettingsRequest { Settings = { [name] = new() } }, cancellationToken: Cancellation));
        await ShownAsync(StatusCode.InvalidArgument, () => _models.Grpc.TraceSettingAsync(new TraceSettingRequest { Settings = { [name] = new() } }, cancellationToken: Cancellation));

        static async Task ShownAsync<T>(StatusCode code, Func<AsyncUnaryCall<T>> call)
        {
            var error = await Assert.ThrowsAsync<RpcException>(async () => await call());
            Assert.Equal(code, error.StatusCode);
            Assert.Contains("xxx…", error.Status.Detail, StringComparison.Ordinal);
            Assert.InRange(error.Status.Detail.Length, 1, 300);
        }
    }

    [Fact]
    public async Task Priority_and_timeout_may_be_metadata()
    {
        var request = InferServer.Request("simple", InferServer.Simple());
        var error = await Assert.ThrowsAsync<RpcException>(async () => await _models.Grpc.ModelInferAsync(request, new Metadata { { "x-serve-priority", "9" } }, cancellationToken: Cancellation));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("The priority is 9", error.Status.Detail, StringComparison.Ordinal);

        request.Parameters["priority"] = new InferParameter { Int64Param = 1 };
        Assert.Equal(2, (await _models.Grpc.ModelInferAsync(request, new Metadata { { "x-serve-priority", "9" } }, cancellationToken: Cancellation)).Outputs.Count);
    }

    [Fact]
    public async Task A_stream_answers_in_order_and_goes_on_after_a_failure()
    {
        using var call = _models.Grpc.ModelStreamInfer(cancellationToken: Cancellation);
        const int Count = 200;
        for (var i = 0; i < Count; i++)
        {
            var rows = 1 + (i % 8);
            var request = InferServer.Request("simple", i % 10 == 7 ? InferServer.Simple(rows)[..1] : InferServer.Simple(rows));
            request.Id = $"{i}";
            await call.RequestStream.WriteAsync(request, Cancellation);
        }

        await call.RequestStream.CompleteAsync();
        var responses = await call.ResponseStream.ReadAllAsync(Cancellation).ToListAsync(Cancellation);

        Assert.Equal(Enumerable.Range(0, Count).Select(number => $"{number}"), responses.Select(response => response.InferResponse.Id));
        Assert.All(responses.Index(), item =>
        {
            var (i, response) = item;
            Assert.Equal(i % 10 == 7, response.ErrorMessage.StartsWith("expected 2 inputs but got 1", StringComparison.Ordinal));
            if (i % 10 == 7) return;
            Assert.Equal([1 + (i % 8), 16], response.InferResponse.Outputs[0].Shape);
            Assert.True(response.InferResponse.Parameters["triton_final_response"].BoolParam);
        });
    }

    [Fact]
    public async Task A_client_that_wants_statuses_gets_the_first_error_as_one()
    {
        using var call = _models.Grpc.ModelStreamInfer(new Metadata { { "triton_grpc_error", "true" } }, cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(InferServer.Request("simple", InferServer.Simple()), Cancellation);
        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        await call.RequestStream.WriteAsync(InferServer.Request("nobody", InferServer.Simple()), Cancellation);

        var error = await Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
    }

    [Fact]
    public async Task A_decoupled_model_answers_any_number_of_times_and_says_when_it_is_done()
    {
        using var call = _models.Grpc.ModelStreamInfer(cancellationToken: Cancellation);
        var request = InferServer.Request("repeat", Repeat(5, 6, 7));
        request.Id = "r";
        request.Parameters["triton_enable_empty_final_response"] = new InferParameter { BoolParam = true };
        await call.RequestStream.WriteAsync(request, Cancellation);
        List<ModelStreamInferResponse> responses = [];
        while (responses is [] or [.., { InferResponse.Outputs.Count: > 0 }] && await call.ResponseStream.MoveNext(Cancellation)) responses.Add(call.ResponseStream.Current);

        Assert.All(responses, response => Assert.Equal(("", "r", "repeat"), (response.ErrorMessage, response.InferResponse.Id, response.InferResponse.ModelName)));
        Assert.Equal([5, 6, 7], responses[..^1].Select(response => InferServer.Outputs(response.InferResponse)[0].Elements<int>()[0]));
        Assert.Equal([false, false, false, true], responses.Select(response => response.InferResponse.Parameters["triton_final_response"].BoolParam));

        // Without being asked for, the end is not told; none at all is an answer too.
        await call.RequestStream.WriteAsync(InferServer.Request("repeat", Repeat()), Cancellation);
        await call.RequestStream.WriteAsync(InferServer.Request("repeat", Repeat(8)), Cancellation);
        await call.RequestStream.CompleteAsync();
        var last = await call.ResponseStream.ReadAllAsync(Cancellation).ToListAsync(Cancellation);
        Assert.Equal(8, InferServer.Outputs(Assert.Single(last).InferResponse)[0].Elements<int>()[0]);
    }

    [Fact]
    public async Task A_stream_carries_requests_of_several_models_and_none_waits_for_a_decoupled_one()
    {
        using var call = _models.Grpc.ModelStreamInfer(cancellationToken: Cancellation);
        var slow = InferServer.Request("repeat", [WireTensor.Of("IN", "INT32", [1], 1), WireTensor.Of("DELAY", "UINT32", [1], 60_000u), WireTensor.Of("WAIT", "UINT32", [1], 0u)]);
        await call.RequestStream.WriteAsync(slow, Cancellation);
        await call.RequestStream.WriteAsync(InferServer.Request("simple", InferServer.Simple()), Cancellation);

        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        Assert.Equal("simple", call.ResponseStream.Current.InferResponse.ModelName);
        call.Dispose();

        // The client that has left has cancelled what it left behind.
        await Eventually.BecomesAsync("the slow request is gone", () => _models.Server.MetricAsync("serve_requests_total{model=\"repeat\",version=\"1.0\",code=\"499\"}"), count => count > 0);
    }

    private static WireTensor[] Repeat(params int[] values) =>
    [
        WireTensor.Of("IN", "INT32", [values.Length], values), WireTensor.Of("DELAY", "UINT32", [values.Length], new uint[values.Length]), WireTensor.Of("WAIT", "UINT32", [1], 0u),
    ];

    private async Task FailsAsync(StatusCode code, string message, ModelInferRequest request)
    {
        var error = await Assert.ThrowsAsync<RpcException>(async () => await _models.Grpc.ModelInferAsync(request, cancellationToken: Cancellation));
        Assert.Equal(code, error.StatusCode);
        Assert.Contains(message, error.Status.Detail, StringComparison.Ordinal);
    }
}
