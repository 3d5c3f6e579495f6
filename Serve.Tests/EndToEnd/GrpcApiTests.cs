using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Grpc.Net.Compression;
using Grpc.Reflection.V1Alpha;
using Serve.Frontend.Grpc;
using Serve.Management.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>TorchServe's APIs over gRPC, as its clients see them.</summary>
public sealed partial class GrpcApiTests : IClassFixture<ServerFixture>, IDisposable
{
    private static readonly byte[] Boot = File.ReadAllBytes(Path.Combine(Repository.Root, "docs", "samples", "boot.png"));

    private readonly ServerFixture _server;
    private readonly GrpcChannel _inferenceChannel;
    private readonly GrpcChannel _managementChannel;
    private readonly InferenceAPIsService.InferenceAPIsServiceClient _inference;
    private readonly ManagementAPIsService.ManagementAPIsServiceClient _management;

    public GrpcApiTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
        _inferenceChannel = GrpcChannel.ForAddress(server.GrpcInference, new GrpcChannelOptions { MaxSendMessageSize = null, CompressionProviders = [new GzipCompressionProvider(System.IO.Compression.CompressionLevel.Fastest)] });
        _managementChannel = GrpcChannel.ForAddress(server.GrpcManagement);
        _inference = new(_inferenceChannel);
        _management = new(_managementChannel);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _inferenceChannel.Dispose();
        _managementChannel.Dispose();
    }

    [Fact]
    public async Task A_picture_gets_the_answer_that_REST_gives()
    {
        var rest = await _server.PredictAsync("fashion-vit", Boot);

        var unary = await _inference.PredictionsAsync(Request("fashion-vit", Boot, version: "1.0"), cancellationToken: Cancellation);
        using var stream = _inference.StreamPredictions(Request("fashion-vit", Boot), cancellationToken: Cancellation);
        var parts = await stream.ResponseStream.ReadAllAsync(Cancellation).ToListAsync(Cancellation);

        Assert.Equal("Ankle boot", rest.Json.EnumerateObject().First().Name);
        Assert.Equal(rest.Text, unary.Prediction.ToStringUtf8());
        Assert.Equal(rest.Text, Assert.Single(parts).Prediction.ToStringUtf8());
    }

    [Fact]
    public async Task Ping_says_what_REST_says()
    {
        var answer = await _inference.PingAsync(new Empty(), cancellationToken: Cancellation);
        Assert.Equal((await _server.GetAsync("/ping")).Text, answer.Health);
    }

    [Fact]
    public async Task Inputs_and_metadata_come_to_the_handler()
    {
        await _server.ServeAsync("headers-over-grpc", "HeaderEchoHandler");
        var request = new PredictionsRequest { ModelName = "headers-over-grpc", Input = { ["data"] = ByteString.CopyFromUtf8("one"), ["mask"] = ByteString.Empty } };

        var answer = await _inference.PredictionsAsync(request, new Metadata { { "x-colour", "green" }, { "x-raw-bin", [1, 2, 3] } }, cancellationToken: Cancellation);

        using var seen = JsonDocument.Parse(answer.Prediction.ToByteArray());
        var headers = seen.RootElement.GetProperty("headers");
        Assert.Equal(("green", "AQID"), (headers.GetProperty("x-colour").GetString(), headers.GetProperty("x-raw-bin").GetString()));
        Assert.DoesNotContain(headers.EnumerateObject(), header => header.Name.StartsWith(':') || header.Name.Equals("content-type", StringComparison.OrdinalIgnoreCase));
        var parts = seen.RootElement.GetProperty("parts").EnumerateArray().ToDictionary(part => part.GetProperty("name").GetString()!, part => Encoding.UTF8.GetString(part.GetProperty("data").GetBytesFromBase64()));
        Assert.Equal(new Dictionary<string, string> { ["data"] = "one", ["mask"] = "" }, parts);
    }

    [Fact]
    public async Task What_is_wrong_with_a_request_has_its_code_and_its_text()
    {
        await _server.ServeAsync("failing-over-grpc", "FailingHandler");
        await _server.ServeAsync("idle-over-grpc", "EchoHandler", workers: 0);

        await FailsAsync(StatusCode.NotFound, "Model not found: nothing", Request("nothing", Boot));
        await FailsAsync(StatusCode.NotFound, "Model version: 9.9 does not exist for model: fashion-vit", Request("fashion-vit", Boot, version: "9.9"));
        await FailsAsync(StatusCode.InvalidArgument, "Parameter model_name is required.", Request("", Boot));
        await FailsAsync(StatusCode.InvalidArgument, "Parameter input is required", new PredictionsRequest { ModelName = "fashion-vit" });
        await FailsAsync(StatusCode.InvalidArgument, "at most 1024 are allowed", new PredictionsRequest { ModelName = "fashion-vit", Input = { [new string('n', 1025)] = ByteString.Empty } });
        await FailsAsync(StatusCode.InvalidArgument, "", Request("fashion-vit", "no picture"u8));
        await FailsAsync(StatusCode.InvalidArgument, "The body is bad.", Request("failing-over-grpc", "bad"u8));
        await FailsAsync(StatusCode.Internal, "", Request("failing-over-grpc", "broken"u8));
        await FailsAsync(StatusCode.FailedPrecondition, "I am a teapot.", Request("failing-over-grpc", "teapot"u8));
        await FailsAsync(StatusCode.InvalidArgument, "x-serve-priority", Request("fashion-vit", Boot), new Metadata { { "x-serve-priority", "high" } });

        var unavailable = await FailsAsync(StatusCode.Unavailable, "idle-over-grpc", Request("idle-over-grpc", Boot));
        Assert.Equal("ServiceUnavailableException", unavailable.Trailers.GetValue("serve-error-type"));
        Assert.True(int.Parse(unavailable.Trailers.GetValue("grpc-retry-pushback-ms")!, System.Globalization.CultureInfo.InvariantCulture) > 0);
        Assert.DoesNotContain(_server.Log, line => line.Contains("failed unexpectedly", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Metadata_that_cannot_be_decoded_are_the_clients_fault()
    {
        // As bytes: a client of gRPC encodes them by itself, and right.
        var message = Request("fashion-vit", Boot).ToByteArray();
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, _server.GrpcInference + "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(frame) { Headers = { ContentType = new("application/grpc") } },
        };
        request.Headers.Add("te", "trailers");
        request.Headers.Add("x-mine-bin", "a");
        using var answer = await client.SendAsync(request, Cancellation);
        await answer.Content.ReadAsByteArrayAsync(Cancellation);
        var fields = answer.TrailingHeaders.Concat(answer.Headers).ToLookup(field => field.Key, field => field.Value.Single(), StringComparer.OrdinalIgnoreCase);

        Assert.Equal(((int)StatusCode.InvalidArgument).ToString(CultureInfo.InvariantCulture), fields["grpc-status"].Single());
        Assert.Contains("metadata cannot be read", Uri.UnescapeDataString(fields["grpc-message"].Single()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_that_is_none_is_the_clients_fault()
    {
        var bytes = Marshallers.Create(static (byte[] message) => message, static message => message);
        foreach (var (channel, service, name) in new[] { (_inferenceChannel, "org.pytorch.serve.grpc.inference.InferenceAPIsService", "Predictions"), (_managementChannel, "org.pytorch.serve.grpc.management.ManagementAPIsService", "RegisterModel") })
        {
            var method = new Method<byte[], byte[]>(MethodType.Unary, service, name, bytes, bytes);
            foreach (var message in (byte[][])[[0], [0x0A, 0x7F, 1], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]])
            {
                var error = await Assert.ThrowsAsync<RpcException>(async () => await channel.CreateCallInvoker().AsyncUnaryCall(method, null, new global::Grpc.Core.CallOptions(cancellationToken: Cancellation), message));
                Assert.Equal((StatusCode.InvalidArgument, "The request is not a valid message of this method."), (error.StatusCode, error.Status.Detail));
                Assert.Equal("BadRequestException", error.Trailers.GetValue("serve-error-type"));
            }
        }

        Assert.DoesNotContain(_server.Log, line => line.Contains("InvalidProtocolBuffer", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_message_beyond_maxRequestSize_is_refused_also_when_it_is_packed_small()
    {
        await _server.ServeAsync("large-over-grpc", "EchoHandler");
        var large = new byte[(64 << 20) + 1];

        var plain = await FailsAsync(StatusCode.ResourceExhausted, "", Request("large-over-grpc", large));
        var packed = await FailsAsync(StatusCode.ResourceExhausted, "", Request("large-over-grpc", new byte[(64 << 20) + (1 << 20)]), new Metadata { { "grpc-internal-encoding-request", "gzip" } });
        var fits = await _inference.PredictionsAsync(Request("large-over-grpc", new byte[1 << 20]), new Metadata { { "grpc-internal-encoding-request", "gzip" } }, cancellationToken: Cancellation);

        Assert.Contains("67108864 bytes (maxRequestSize)", plain.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("exceeds the maximum configured message size", packed.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(1 << 20, fits.Prediction.Length);
    }

    [Fact]
    public async Task A_message_that_is_packed_small_takes_no_memory_for_what_it_would_be()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Linux tells how much memory a process had at its most.");
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            var zeros = new byte[1 << 20];
            for (var i = 0; i < 512; i++) gzip.Write(zeros);
        }

        byte[] message = [1, 0, 0, 0, 0, .. packed.ToArray()];
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), message.Length - 5);
        var before = MostBytes();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{_server.GrpcInference}/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { { "te", "trailers" }, { "grpc-encoding", "gzip" } },
            Content = new ByteArrayContent(message) { Headers = { ContentType = new("application/grpc") } },
        };
        var answer = await _server.SendAsync(request);

        Assert.Equal("8", answer.Headers["grpc-status"]);
        Assert.InRange(MostBytes() - before, 0, 300 << 20);

        long MostBytes() => long.Parse(File.ReadLines($"/proc/{_server.Pid}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }

    [Fact]
    public async Task A_client_that_cancels_and_a_deadline_that_passes_free_their_rows()
    {
        using var gates = new Gates();
        HandlerModels.Write(_server.ModelStore, "gated-over-grpc", "GatedHandler", gates.Setting);
        var registered = _server.RegisterAsync("gated-over-grpc");
        var gate = await gates.NextAsync();
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);

        using var leaving = new CancellationTokenSource();
        var left = Assert.ThrowsAsync<RpcException>(async () => await _inference.PredictionsAsync(Request("gated-over-grpc", "1"u8), cancellationToken: leaving.Token));
        Assert.Equal(1, await gate.BatchAsync());
        await leaving.CancelAsync();
        Assert.Equal(StatusCode.Cancelled, (await left).StatusCode);
        Assert.Equal(0, await gate.BatchAsync());
        gate.Open();

        var late = Assert.ThrowsAsync<RpcException>(async () => await _inference.PredictionsAsync(Request("gated-over-grpc", "2"u8), deadline: DateTime.UtcNow.AddMilliseconds(300), cancellationToken: Cancellation));
        Assert.Equal(1, await gate.BatchAsync());
        Assert.Equal(StatusCode.DeadlineExceeded, (await late).StatusCode);
        Assert.Equal(0, await gate.BatchAsync());
        gate.Open();

        await Eventually.BecomesAsync("both rows are free", async () => (await _server.DescribeAsync("gated-over-grpc")).Workers.Single().OutstandingRows, rows => rows == 0);

        // The client's clock began before the server's: where its own end of the deadline is here first, it has left.
        await Eventually.BecomesAsync(
            "both are counted",
            async () => (Left: await _server.MetricAsync("serve_requests_total{model=\"gated-over-grpc\",version=\"1.0\",code=\"499\"}"), Late: await _server.MetricAsync("serve_requests_total{model=\"gated-over-grpc\",version=\"1.0\",code=\"504\"}")),
            counts => counts is (1, 1) or (2, 0));
    }

    [Fact]
    public async Task A_model_is_registered_scaled_described_made_the_default_and_removed()
    {
        HandlerModels.Write(_server.ModelStore, "managed-over-grpc", "EchoHandler");
        HandlerModels.Write(_server.ModelStore, "managed-over-grpc", "EchoHandler", version: "2.0");

        Assert.Equal("Model \"managed-over-grpc\" Version: 1.0 registered with 1 initial workers", (await _management.RegisterModelAsync(new() { Url = "managed-over-grpc/1.0", InitialWorkers = 1, BatchSize = 4, ResponseTimeout = 7, Synchronous = true }, cancellationToken: Cancellation)).Msg);
        await _management.RegisterModelAsync(new() { Url = "managed-over-grpc/2.0" }, cancellationToken: Cancellation);
        Assert.Equal("hello", (await _inference.PredictionsAsync(Request("managed-over-grpc", "hello"u8), cancellationToken: Cancellation)).Prediction.ToStringUtf8());
        var again = await Assert.ThrowsAsync<RpcException>(async () => await _management.RegisterModelAsync(new() { Url = "managed-over-grpc/1.0" }, cancellationToken: Cancellation));
        Assert.Equal((StatusCode.AlreadyExists, "Model version 1.0 is already registered for model managed-over-grpc"), (again.StatusCode, again.Status.Detail));

        Assert.Equal("Workers scaled to 2 for model: managed-over-grpc", (await _management.ScaleWorkerAsync(new() { ModelName = "managed-over-grpc", MinWorker = 2, Synchronous = true }, cancellationToken: Cancellation)).Msg);
        using (var described = JsonDocument.Parse((await _management.DescribeModelAsync(new() { ModelName = "managed-over-grpc", ModelVersion = "all" }, cancellationToken: Cancellation)).Msg))
        {
            Assert.Equal(2, described.RootElement.GetArrayLength());
            Assert.Equal((2, 4, 7), (described.RootElement[0].GetProperty("workers").GetArrayLength(), described.RootElement[0].GetProperty("batchSize").GetInt32(), described.RootElement[0].GetProperty("responseTimeout").GetInt32()));
        }

        Assert.Equal("Workers scaled to 0 for model: managed-over-grpc", (await _management.ScaleWorkerAsync(new() { ModelName = "managed-over-grpc", MinWorker = 0, Synchronous = true }, cancellationToken: Cancellation)).Msg);
        var forbidden = await Assert.ThrowsAsync<RpcException>(async () => await _management.UnregisterModelAsync(new() { ModelName = "managed-over-grpc" }, cancellationToken: Cancellation));
        Assert.Equal(StatusCode.PermissionDenied, forbidden.StatusCode);
        Assert.Equal("Default version successfully updated for model \"managed-over-grpc\" to \"2.0\"", (await _management.SetDefaultAsync(new() { ModelName = "managed-over-grpc", ModelVersion = "2.0" }, cancellationToken: Cancellation)).Msg);
        Assert.Equal("Model \"managed-over-grpc\" unregistered", (await _management.UnregisterModelAsync(new() { ModelName = "managed-over-grpc", ModelVersion = "1.0" }, cancellationToken: Cancellation)).Msg);

        using var list = JsonDocument.Parse((await _management.ListModelsAsync(new() { Limit = 100 }, cancellationToken: Cancellation)).Msg);
        Assert.Contains("fashion-vit", list.RootElement.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("modelName").GetString()));
    }

    [Fact]
    public async Task What_cannot_be_managed_has_its_code()
    {
        await ManagementFailsAsync(StatusCode.InvalidArgument, "Parameter url is required.", () => _management.RegisterModelAsync(new()));
        await ManagementFailsAsync(StatusCode.NotFound, "Model not found at: nothing-here", () => _management.RegisterModelAsync(new() { Url = "nothing-here" }));
        await ManagementFailsAsync(StatusCode.InvalidArgument, "Invalid RuntimeType value: cobol", () => _management.RegisterModelAsync(new() { Url = "fashion-vit", Runtime = "cobol" }));
        await ManagementFailsAsync(StatusCode.InvalidArgument, "Parameter batch_size must be at least 1, not -3.", () => _management.RegisterModelAsync(new() { Url = "fashion-vit", BatchSize = -3 }));
        await ManagementFailsAsync(StatusCode.InvalidArgument, "max_worker cannot be less than min_worker.", () => _management.ScaleWorkerAsync(new() { ModelName = "fashion-vit", MinWorker = 2, MaxWorker = 1 }));
        await ManagementFailsAsync(StatusCode.InvalidArgument, "Parameter min_worker must be at least 0, not -1.", () => _management.ScaleWorkerAsync(new() { ModelName = "fashion-vit", MinWorker = -1 }));
        await ManagementFailsAsync(StatusCode.NotFound, "Model not found: nothing", () => _management.DescribeModelAsync(new() { ModelName = "nothing" }));
        await ManagementFailsAsync(StatusCode.InvalidArgument, "Parameter model_name is required.", () => _management.DescribeModelAsync(new()));
        await ManagementFailsAsync(StatusCode.NotFound, "Model version 7 does not exist for model fashion-vit", () => _management.SetDefaultAsync(new() { ModelName = "fashion-vit", ModelVersion = "7" }));
        await ManagementFailsAsync(StatusCode.NotFound, "Model not found: nothing", () => _management.UnregisterModelAsync(new() { ModelName = "nothing" }));
        await ManagementFailsAsync(StatusCode.InvalidArgument, "Parameter limit must be at least 0, not -5.", () => _management.ListModelsAsync(new() { Limit = -5 }));
    }

    [Fact]
    public async Task Each_listener_answers_its_own_services_only()
    {
        var lost = await Assert.ThrowsAsync<RpcException>(async () => await new ManagementAPIsService.ManagementAPIsServiceClient(_inferenceChannel).ListModelsAsync(new(), cancellationToken: Cancellation));
        Assert.Equal(StatusCode.Unimplemented, lost.StatusCode);
        lost = await Assert.ThrowsAsync<RpcException>(async () => await new InferenceAPIsService.InferenceAPIsServiceClient(_managementChannel).PingAsync(new Empty(), cancellationToken: Cancellation));
        Assert.Equal(StatusCode.Unimplemented, lost.StatusCode);
        Assert.NotEqual(HttpStatusCode.OK, (await _server.SendAsync(new HttpRequestMessage(HttpMethod.Get, _server.GrpcInference + "/ping"))).Status);
    }

    [Fact]
    public async Task Health_is_told_of_the_server_and_of_each_model_and_is_watched()
    {
        await _server.ServeAsync("watched-over-grpc", "EchoHandler");
        var health = new Health.HealthClient(_inferenceChannel);
        foreach (var name in (string[])["", "fashion-vit", "fashion-vit/1.0", "org.pytorch.serve.grpc.inference.InferenceAPIsService", "inference.GRPCInferenceService"])
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await health.CheckAsync(new() { Service = name }, cancellationToken: Cancellation)).Status);
        foreach (var name in (string[])["nothing", new('x', 3000)])
        {
            var unknown = await Assert.ThrowsAsync<RpcException>(async () => await health.CheckAsync(new() { Service = name }, cancellationToken: Cancellation));
            Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
            Assert.InRange(unknown.Status.Detail.Length, 1, 100);
        }


        using var watch = health.Watch(new() { Service = "watched-over-grpc" }, cancellationToken: Cancellation);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await NextAsync());
        await _server.ScaleAsync("watched-over-grpc", 0);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await NextAsync());
        Assert.Equal(HttpStatusCode.OK, (await _server.ManageAsync(HttpMethod.Delete, "/models/watched-over-grpc")).Status);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.ServiceUnknown, await NextAsync());

        async Task<HealthCheckResponse.Types.ServingStatus> NextAsync()
        {
            Assert.True(await watch.ResponseStream.MoveNext(Cancellation));
            return watch.ResponseStream.Current.Status;
        }
    }

    [Fact]
    public async Task Tools_can_ask_which_services_there_are()
    {
        Assert.Equal(["grpc.health.v1.Health", "inference.GRPCInferenceService", "org.pytorch.serve.grpc.inference.InferenceAPIsService"], await ServicesAsync(_inferenceChannel));
        Assert.Equal(["grpc.health.v1.Health", "org.pytorch.serve.grpc.management.ManagementAPIsService"], await ServicesAsync(_managementChannel));

        static async Task<IEnumerable<string>> ServicesAsync(GrpcChannel channel)
        {
            using var call = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: Cancellation);
            await call.RequestStream.WriteAsync(new() { ListServices = "" }, Cancellation);
            await call.RequestStream.WriteAsync(new() { FileContainingSymbol = "org.pytorch.serve.grpc" }, Cancellation);
            await call.RequestStream.CompleteAsync();
            Assert.True(await call.ResponseStream.MoveNext(Cancellation));
            var services = call.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name).Where(name => !name.StartsWith("grpc.reflection.", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();
            Assert.True(await call.ResponseStream.MoveNext(Cancellation));
            Assert.NotNull(call.ResponseStream.Current.ErrorResponse);
            return services;
        }
    }

    [Fact]
    public async Task Calls_are_counted_by_listener()
    {
        const string Series = "serve_http_requests_total{listener=\"grpc_inference\",code=\"4xx\"}";
        var before = await _server.MetricAsync(Series);
        await FailsAsync(StatusCode.NotFound, "", Request("nothing", Boot));
        await Eventually.BecomesAsync("one more", () => _server.MetricAsync(Series), count => count >= before + 1);
    }

    private static PredictionsRequest Request(string model, ReadOnlySpan<byte> data, string version = "") =>
        new() { ModelName = model, ModelVersion = version, Input = { ["data"] = ByteString.CopyFrom(data) } };

    private async Task<RpcException> FailsAsync(StatusCode code, string text, PredictionsRequest request, Metadata? metadata = null)
    {
        var error = await Assert.ThrowsAsync<RpcException>(async () => await _inference.PredictionsAsync(request, metadata, cancellationToken: Cancellation));
        Assert.Equal(code, error.StatusCode);
        Assert.Contains(text, error.Status.Detail, StringComparison.Ordinal);
        return error;
    }

    private static async Task ManagementFailsAsync(StatusCode code, string text, Func<AsyncUnaryCall<ManagementResponse>> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(async () => await call());
        Assert.Equal(code, error.StatusCode);
        Assert.Contains(text, error.Status.Detail, StringComparison.Ordinal);
    }
}
