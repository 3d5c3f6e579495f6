using System.Net;
using System.Runtime.InteropServices;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>A server whose clients may leave tensors in shared memory, with a model <c>add_sub</c>.</summary>
public sealed class SharedMemoryServer : IAsyncLifetime
{
    private ServerFixture? _server;

    internal ServerFixture Server => _server ?? throw new InvalidOperationException("The server has not been started.");

    public async ValueTask InitializeAsync()
    {
        _server = await HandlerServer.StartAsync(null, "--open-inference-shared-memory", "true");
        SmallModels.SumAndDifference(Path.Combine(Server.ModelStore, "add_sub.onnx"));
        var answer = await Server.RegisterAsync("add_sub.onnx");
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }
}

/// <summary>Tensors in POSIX shared memory: registered by key, read and written by the server, bounds checked.</summary>
public sealed class SharedMemoryTests : IClassFixture<SharedMemoryServer>, IDisposable
{
    private readonly ServerFixture _server;
    private readonly string _key = $"/serve-test-{Guid.NewGuid():N}";
    private readonly GrpcChannel _channel;
    private readonly GRPCInferenceService.GRPCInferenceServiceClient _client;

    public SharedMemoryTests(SharedMemoryServer fixture, ITestOutputHelper output)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "POSIX shared memory by files is Linux's.");
        _server = fixture.Server;
        _server.ShowLogs(output);
        _channel = GrpcChannel.ForAddress(_server.GrpcInference);
        _client = new GRPCInferenceService.GRPCInferenceServiceClient(_channel);
        File.WriteAllBytes(FileOf(_key), new byte[64]);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _channel.Dispose();
        File.Delete(FileOf(_key));
    }

    [Fact]
    public async Task Tensors_are_read_from_regions_and_written_to_them_over_REST()
    {
        var name = Unique();
        Put(0, 1, 2);
        Put(8, 30, 40);
        var registered = await PostAsync($"/v2/systemsharedmemory/region/{name}/register", $$"""{"key":"{{_key}}","offset":0,"byte_size":64}""");
        var status = await _server.GetAsync($"/v2/systemsharedmemory/region/{name}/status");
        var answer = await InferAsync(Input("a", name, 0, 8), Input("b", name, 8, 8), Output("sum", name, 32, 8));

        Assert.Equal((HttpStatusCode.OK, ""), (registered.Status, registered.Text));
        Assert.Equal($$"""[{"name":"{{name}}","key":"{{_key}}","offset":0,"byte_size":64}]""", status.Text);
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        var sum = answer.Json.GetProperty("outputs")[0];
        Assert.Equal(("sum", "FP32", false), (sum.GetProperty("name").GetString(), sum.GetProperty("datatype").GetString(), sum.TryGetProperty("data", out _)));
        Assert.False(sum.TryGetProperty("parameters", out _));
        Assert.Equal([31f, 42f], Get(32, 2));

        Assert.Equal(HttpStatusCode.OK, (await PostAsync($"/v2/systemsharedmemory/region/{name}/unregister", "")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.GetAsync($"/v2/systemsharedmemory/region/{name}/status")).Status);
    }

    [Fact]
    public async Task Over_gRPC_as_well()
    {
        var name = Unique();
        Put(16, 5, 6, 7, 8);
        await _client.SystemSharedMemoryRegisterAsync(new SystemSharedMemoryRegisterRequest { Name = name, Key = _key, Offset = 16, ByteSize = 48 }, cancellationToken: Cancellation);
        var status = await _client.SystemSharedMemoryStatusAsync(new SystemSharedMemoryStatusRequest { Name = name }, cancellationToken: Cancellation);
        var request = new ModelInferRequest { ModelName = "add_sub" };
        foreach (var (tensor, offset) in ((string, int)[])[("a", 0), ("b", 8)])
        {
            request.Inputs.Add(new ModelInferRequest.Types.InferInputTensor
            {
                Name = tensor,
                Datatype = "FP32",
                Shape = { 1, 2 },
                Parameters = { ["shared_memory_region"] = Text(name), ["shared_memory_offset"] = Number(offset), ["shared_memory_byte_size"] = Number(8) },
            });
        }

        request.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = "difference", Parameters = { ["shared_memory_region"] = Text(name), ["shared_memory_offset"] = Number(40), ["shared_memory_byte_size"] = Number(8) } });
        var answer = await _client.ModelInferAsync(request, cancellationToken: Cancellation);

        Assert.Equal((16ul, 48ul), (status.Regions[name].Offset, status.Regions[name].ByteSize));
        Assert.Equal("difference", Assert.Single(answer.Outputs).Name);
        Assert.Empty(Assert.Single(answer.RawOutputContents));
        Assert.Equal([-2f, -2f], Get(16 + 40, 2));
        await _client.SystemSharedMemoryUnregisterAsync(new SystemSharedMemoryUnregisterRequest { Name = name }, cancellationToken: Cancellation);
        Assert.Equal((StatusCode.NotFound, $"Unable to find shared memory region: '{name}'"), await OpenInferenceServer.FailureAsync(() => _client.ModelInferAsync(request)));

        static InferParameter Text(string value) => new() { StringParam = value };
        static InferParameter Number(long value) => new() { Int64Param = value };
    }

    [Fact]
    public async Task Places_outside_of_their_region_and_an_object_that_was_cut_are_refused()
    {
        var name = Unique();
        await PostAsync($"/v2/systemsharedmemory/region/{name}/register", $$"""{"key":"{{_key}}","byte_size":64}""");

        await RefusedAsync("Invalid offset + byte size", Input("a", name, 60, 8), Input("b", name, 0, 8));
        await RefusedAsync("Invalid offset + byte size", Input("a", name, long.MaxValue, 8), Input("b", name, 0, 8));
        await RefusedAsync("input byte size mismatch", Input("a", name, 0, 12), Input("b", name, 0, 8));
        await RefusedAsync("Invalid offset + byte size", Input("a", name, 0, 8), Input("b", name, 0, 8), Output("sum", name, 60, 8));
        await RefusedAsync("should be at least 8 bytes", Input("a", name, 0, 8), Input("b", name, 0, 8), Output("sum", name, 0, 4));
        using (var file = File.OpenWrite(FileOf(_key))) file.SetLength(4);
        await RefusedAsync("has become shorter", Input("a", name, 0, 8), Input("b", name, 0, 8));
        using (var file = File.OpenWrite(FileOf(_key))) file.SetLength(16);
        await RefusedAsync("has become shorter", Input("a", name, 0, 8), Input("b", name, 0, 8), Output("sum", name, 32, 8));
        Assert.Equal(HttpStatusCode.OK, (await _server.GetAsync("/v2/health/live")).Status);

        async Task RefusedAsync(string message, params string[] parts)
        {
            var answer = await InferAsync(parts);
            Assert.True(answer.Status == HttpStatusCode.BadRequest, answer.Text);
            Assert.Contains(message, answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"key":"/none-of-that-name","byte_size":8}""", "Unable to open shared memory region: '/none-of-that-name'")]
    [InlineData("""{"key":"/../etc/passwd","byte_size":8}""", "a slash and a name without slashes")]
    [InlineData("""{"key":"passwd","byte_size":8}""", "a slash and a name without slashes")]
    [InlineData("""{"key":"/triton_python_backend_shm_region_1","byte_size":8}""", "reserved")]
    [InlineData("""{"key":"KEY","byte_size":65}""", "it would end at 65")]
    [InlineData("""{"key":"KEY","offset":9223372036854775807,"byte_size":8}""", "no place in memory")]
    [InlineData("""{"key":"KEY","byte_size":0}""", "no place in memory")]
    [InlineData("""{"key":"KEY","byte_size":-1}""", "'byte_size' must be a whole number")]
    [InlineData("""{"key":"KEY"}""", "'byte_size' is missing")]
    [InlineData("""{"byte_size":8}""", "'key' is missing")]
    [InlineData("""{"key":"\ud800","byte_size":8}""", "failed to parse the request JSON buffer: the text at byte 7")]
    public async Task Regions_that_cannot_be_are_refused(string body, string message)
    {
        var answer = await PostAsync($"/v2/systemsharedmemory/region/{Unique()}/register", body.Replace("KEY", _key, StringComparison.Ordinal));

        Assert.True(answer.Status == HttpStatusCode.BadRequest, answer.Text);
        Assert.Contains(message, answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_is_taken_once_and_links_are_not_followed()
    {
        var name = Unique();
        var body = $$"""{"key":"{{_key}}","byte_size":64}""";
        await PostAsync($"/v2/systemsharedmemory/region/{name}/register", body);
        var again = await PostAsync($"/v2/systemsharedmemory/region/{name}/register", body);
        var called = await OpenInferenceServer.FailureAsync(() => _client.SystemSharedMemoryRegisterAsync(new SystemSharedMemoryRegisterRequest { Name = name, Key = _key, ByteSize = 64 }));
        Assert.Equal((HttpStatusCode.BadRequest, $$"""{"error":"shared memory region '{{name}}' already in manager"}"""), (again.Status, again.Text));
        Assert.Equal((StatusCode.AlreadyExists, $"shared memory region '{name}' already in manager"), called);

        var target = Path.GetTempFileName();
        var link = $"{_key}-link";
        try
        {
            File.WriteAllBytes(target, new byte[64]);
            File.CreateSymbolicLink(FileOf(link), target);
            Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync($"/v2/systemsharedmemory/region/{Unique()}/register", $$"""{"key":"{{link}}","byte_size":64}""")).Status);
        }
        finally
        {
            File.Delete(FileOf(link));
            File.Delete(target);
        }
    }

    [Fact]
    public async Task Memory_of_GPUs_is_not_there_and_tidying_it_up_succeeds()
    {
        var register = await PostAsync("/v2/cudasharedmemory/region/x/register", """{"raw_handle":{"b64":"AAAA"},"device_id":0,"byte_size":8}""");

        Assert.Equal((HttpStatusCode.NotImplemented, """{"error":"CUDA shared memory is not available in this server."}"""), (register.Status, register.Text));
        Assert.Equal("[]", (await _server.GetAsync("/v2/cudasharedmemory/status")).Text);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("/v2/cudasharedmemory/unregister", "")).Status);
        Assert.Equal(StatusCode.Unimplemented, (await OpenInferenceServer.FailureAsync(() => _client.CudaSharedMemoryRegisterAsync(new CudaSharedMemoryRegisterRequest { Name = "x" }))).Code);
        Assert.Contains("system_shared_memory", (await _server.GetAsync("/v2")).Text, StringComparison.Ordinal);
    }

    private static string Unique() => $"region-{Guid.NewGuid():N}";

    private static string FileOf(string key) => "/dev/shm" + key;

    private static string Input(string name, string region, long offset, long bytes) =>
        $$$"""I{"name":"{{{name}}}","datatype":"FP32","shape":[1,2],"parameters":{"shared_memory_region":"{{{region}}}","shared_memory_offset":{{{offset}}},"shared_memory_byte_size":{{{bytes}}}}}""";

    private static string Output(string name, string region, long offset, long bytes) =>
        $$$"""O{"name":"{{{name}}}","parameters":{"shared_memory_region":"{{{region}}}","shared_memory_offset":{{{offset}}},"shared_memory_byte_size":{{{bytes}}}}}""";

    private Task<Answer> InferAsync(params string[] parts)
    {
        var outputs = parts.Where(part => part[0] == 'O').Select(part => part[1..]).ToList();
        return PostAsync("/v2/models/add_sub/infer", $$"""{"inputs":[{{string.Join(',', parts.Where(part => part[0] == 'I').Select(part => part[1..]))}}]{{(outputs.Count > 0 ? $",\"outputs\":[{string.Join(',', outputs)}]" : "")}}}""");
    }

    private Task<Answer> PostAsync(string path, string json) => _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json) });

    private void Put(int offset, params float[] numbers)
    {
        using var file = new FileStream(FileOf(_key), FileMode.Open, FileAccess.Write, FileShare.ReadWrite) { Position = offset };
        file.Write(MemoryMarshal.AsBytes(numbers.AsSpan()));
    }

    private float[] Get(int offset, int count)
    {
        var bytes = File.ReadAllBytes(FileOf(_key));
        return MemoryMarshal.Cast<byte, float>(bytes.AsSpan(offset, 4 * count)).ToArray();
    }
}
