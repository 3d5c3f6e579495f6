using System.Globalization;
using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>
/// What Triton's own clients send over REST, as their published code writes it, and the fields of the answers that they
/// cannot do without: those of tritonclient (Python) and of the C++ library that perf_analyzer is made with.
/// </summary>
[Collection(nameof(InferServer))]
public sealed class TritonClientTests
{
    private const string LengthHeader = "Inference-Header-Content-Length";

    private readonly InferServer _models;

    public TritonClientTests(InferServer models, ITestOutputHelper output)
    {
        _models = models;
        models.Server.ShowLogs(output);
    }

    [Fact]
    public async Task What_perf_analyzer_asks_for_before_during_and_after_a_run_is_answered_as_it_reads_it()
    {
        using var connection = await ConnectAsync();
        var server = (await GetAsync(connection, "/v2")).Json;
        var metadata = (await GetAsync(connection, "/v2/models/simple")).Json;
        var config = (await GetAsync(connection, "/v2/models/simple/config")).Json;
        var before = (await GetAsync(connection, "/v2/models/simple/stats")).Json;
        var answer = await SendAsync(connection, Curl("simple", """{"id":"1-1","inputs":[{"name":"INPUT0","datatype":"INT32","shape":[1,16],"parameters":{"binary_data_size":64}},{"name":"INPUT1","datatype":"INT32","shape":[1,16],"parameters":{"binary_data_size":64}}],"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}},{"name":"OUTPUT1","parameters":{"binary_data":true}}]}""", Tensors()));
        var after = (await GetAsync(connection, "/v2/models/simple/versions/1.0/stats")).Json;

        Assert.All(server.GetProperty("extensions").EnumerateArray(), extension => Assert.NotEmpty(extension.GetString()!));
        Assert.True(config.GetProperty("max_batch_size").GetInt32() > 0);
        Assert.False(config.GetProperty("model_transaction_policy").GetProperty("decoupled").GetBoolean());
        Assert.False(config.TryGetProperty("sequence_batching", out _));
        Assert.False(config.TryGetProperty("ensemble_scheduling", out _));
        Assert.True(config.TryGetProperty("dynamic_batching", out _));
        if (config.TryGetProperty("response_cache", out var cache)) Assert.False(cache.GetProperty("enable").GetBoolean());
        foreach (var (tensors, configured) in ((string, string)[])[("inputs", "input"), ("outputs", "output")])
        {
            // Without the batch dimension the shapes of both are the same.
            Assert.Equal(
                config.GetProperty(configured).EnumerateArray().Select(tensor => (tensor.GetProperty("name").GetString(), tensor.GetProperty("dims").GetRawText())),
                metadata.GetProperty(tensors).EnumerateArray().Select(tensor => (tensor.GetProperty("name").GetString(), tensor.GetProperty("shape").GetRawText().Replace("[-1,", "[", StringComparison.Ordinal))));
            Assert.All(metadata.GetProperty(tensors).EnumerateArray(), tensor => Assert.Equal("INT32", tensor.GetProperty("datatype").GetString()));
        }

        var (was, now) = (Numbers(before), Numbers(after));
        Assert.Equal(was.Keys, now.Keys);
        Assert.True(now["inference_count"] > was["inference_count"]);
        Assert.True(now["success.count"] > was["success.count"]);

        Assert.Equal("1-1", answer.Json.GetProperty("id").GetString());
        AssertSums(answer);

        static Dictionary<string, ulong> Numbers(JsonElement statistics)
        {
            var model = Assert.Single(statistics.GetProperty("model_stats").EnumerateArray());
            Assert.Equal(("simple", "1.0"), (model.GetProperty("name").GetString(), model.GetProperty("version").GetString()));
            var numbers = new Dictionary<string, ulong> { ["inference_count"] = model.GetProperty("inference_count").GetUInt64(), ["execution_count"] = model.GetProperty("execution_count").GetUInt64() };
            foreach (var part in (string[])["success", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"])
            {
                foreach (var number in (string[])["count", "ns"]) numbers[$"{part}.{number}"] = model.GetProperty("inference_stats").GetProperty(part).GetProperty(number).GetUInt64();
            }

            return numbers;
        }
    }

    [Fact]
    public async Task The_Cpp_clients_requests_without_an_id_of_a_sequence_and_wrong_ones_are_answered()
    {
        using var connection = await ConnectAsync();
        const string Inputs = """[{"name":"INPUT0","datatype":"INT32","shape":[1,16],"parameters":{"binary_data_size":64}},{"name":"INPUT1","datatype":"INT32","shape":[1,16],"parameters":{"binary_data_size":64}}]}""";
        var all = await SendAsync(connection, Curl("simple", $$$"""{"id":"","parameters":{"binary_data_output":true},"inputs":{{{Inputs}}}""", Tensors()));
        var sequence = await SendAsync(connection, Curl("simple", $$$"""{"id":"","parameters":{"sequence_id":7,"sequence_start":true,"sequence_end":false,"priority":1,"timeout":5000000,"binary_data_output":true},"inputs":{{{Inputs}}}""", Tensors()));
        var wrong = await SendAsync(connection, Curl("simple", $$$"""{"id":"","parameters":{"binary_data_output":true},"inputs":{{{Inputs.Replace("[1,16]", "[1,17]", StringComparison.Ordinal)}}}""", Tensors()));
        var unknown = await SendAsync(connection, Curl("nobody", $$$"""{"id":"","parameters":{"binary_data_output":true},"inputs":{{{Inputs}}}""", Tensors()));
        var again = await SendAsync(connection, Curl("simple", $$$"""{"id":"","parameters":{"binary_data_output":true},"inputs":{{{Inputs}}}""", Tensors()));

        AssertSums(all);
        AssertSums(sequence);
        Assert.Equal((400, 404), (wrong.Status, unknown.Status));
        Assert.StartsWith("unexpected shape for input 'INPUT0'", wrong.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("Request for unknown model: 'nobody'", unknown.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.All([wrong, unknown], answer => Assert.DoesNotContain(answer.Headers, header => header.StartsWith(LengthHeader, StringComparison.OrdinalIgnoreCase)));
        AssertSums(again);
    }

    [Fact]
    public async Task What_the_Python_client_sends_is_answered()
    {
        using var connection = await ConnectAsync();
        const string Json = """{"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"INT32","parameters":{"binary_data_size":64}},{"name":"INPUT1","shape":[1,16],"datatype":"INT32","parameters":{"binary_data_size":64}}],"parameters":{"binary_data_output":true}}""";
        byte[] body = [.. Encoding.UTF8.GetBytes(Json), .. Tensors()];
        var live = await SendAsync(connection, Gevent("GET", "/v2/health/live", ""));
        var queried = await SendAsync(connection, Gevent("GET", "/v2/models/simple/ready?test_1=1&test_2=2", ""));
        var index = await SendAsync(connection, Gevent("POST", "/v2/repository/index", "", []));
        var plain = await SendAsync(connection, Gevent("POST", "/v2/models/simple/infer?test_1=1", $"{LengthHeader}: {Json.Length}\r\n", body));
        var packed = await SendAsync(connection, Gevent("POST", "/v2/models/simple/infer", $"Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\n{LengthHeader}: {Json.Length}\r\n", Gzip(body)));
        var traced = await SendAsync(connection, Gevent("POST", "/v2/trace/setting", "", Encoding.UTF8.GetBytes("""{"trace_rate":"1000","log_frequency":null}""")));

        Assert.All([live, queried, index, traced], answer => Assert.Equal(200, answer.Status));
        Assert.Contains(index.Json.EnumerateArray(), entry => entry.GetProperty("name").GetString() == "simple" && entry.GetProperty("state").GetString() == "READY");
        Assert.Equal("1000", traced.Json.GetProperty("trace_rate").GetString());
        AssertSums(plain);
        Assert.Contains(packed.Headers, header => header.Equals("Content-Encoding: gzip", StringComparison.OrdinalIgnoreCase));
        AssertSums(packed with { Body = Gunzip(packed.Body) });
    }

    private static void AssertSums(Reply answer)
    {
        Assert.True(answer.Status == 200, Encoding.UTF8.GetString(answer.Body));
        var at = answer.JsonBytes;
        var sums = new Dictionary<string, int[]>();
        foreach (var output in answer.Json.GetProperty("outputs").EnumerateArray())
        {
            var size = output.GetProperty("parameters").GetProperty("binary_data_size").GetInt32();
            Assert.Equal("[1,16]", output.GetProperty("shape").GetRawText());
            sums[output.GetProperty("name").GetString()!] = [.. Enumerable.Range(0, size / 4).Select(i => BitConverter.ToInt32(answer.Body, at + (4 * i)))];
            at += size;
        }

        Assert.Equal(answer.Body.Length, at);
        Assert.Equal("simple", answer.Json.GetProperty("model_name").GetString());
        Assert.Equal("1.0", answer.Json.GetProperty("model_version").GetString());
        Assert.Equal(Enumerable.Range(0, 16).Select(i => 3 * i), sums["OUTPUT0"]);
        Assert.Equal(Enumerable.Range(0, 16).Select(i => -i), sums["OUTPUT1"]);
    }

    private static byte[] Tensors() => [.. InferServer.Simple().SelectMany(tensor => tensor.Data)];

    private static Task<Reply> GetAsync(Socket connection, string path) => SendAsync(connection, Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: libcurl-agent/1.0\r\nAccept: */*\r\n\r\n"));

    private static byte[] Curl(string model, string json, byte[] tensors) =>
    [
        .. Encoding.ASCII.GetBytes($"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: libcurl-agent/1.0\r\nAccept: */*\r\n{LengthHeader}: {json.Length}\r\nContent-Type: application/octet-stream\r\nContent-Length: {json.Length + tensors.Length}\r\n\r\n"),
        .. Encoding.UTF8.GetBytes(json),
        .. tensors,
    ];

    // No Content-Type, ever.
    private static byte[] Gevent(string verb, string target, string headers, byte[]? body = null) =>
    [
        .. Encoding.ASCII.GetBytes($"{verb} {target} HTTP/1.1\r\nUser-Agent: python/gevent-http-client-2.3.1\r\nHost: 127.0.0.1:8000\r\n{headers}{(body is null ? "" : $"Content-Length: {body.Length}\r\n")}\r\n"),
        .. body ?? [],
    ];

    private static byte[] Gzip(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal)) gzip.Write(bytes);
        return packed.ToArray();
    }

    private static byte[] Gunzip(byte[] bytes)
    {
        using var unpacked = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress)) gzip.CopyTo(unpacked);
        return unpacked.ToArray();
    }

    private async Task<Socket> ConnectAsync()
    {
        var url = new Uri(_models.Server.Inference);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(url.Host, url.Port, TestContext.Current.CancellationToken);
        return socket;
    }

    private static async Task<Reply> SendAsync(Socket connection, byte[] request)
    {
        await connection.SendAsync(request, TestContext.Current.CancellationToken);
        var bytes = new byte[1 << 20];
        for (var filled = 0; ;)
        {
            var read = await connection.ReceiveAsync(bytes.AsMemory(filled), TestContext.Current.CancellationToken);
            Assert.True(read > 0, $"The server closed the connection after {Encoding.ASCII.GetString(bytes, 0, filled)}");
            filled += read;
            var end = bytes.AsSpan(0, filled).IndexOf("\r\n\r\n"u8);
            if (end < 0) continue;
            var lines = Encoding.ASCII.GetString(bytes, 0, end).Split("\r\n");
            var length = int.Parse(Array.Find(lines, line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))?[15..] ?? "0", CultureInfo.InvariantCulture);
            if (filled < end + 4 + length) continue;
            return new Reply(int.Parse(lines[0].AsSpan(9, 3), CultureInfo.InvariantCulture), lines[1..], bytes[(end + 4)..(end + 4 + length)]);
        }
    }

    private sealed record Reply(int Status, string[] Headers, byte[] Body)
    {
        public int JsonBytes => Array.Find(Headers, header => header.StartsWith(LengthHeader + ":", StringComparison.OrdinalIgnoreCase)) is { } header ? int.Parse(header.AsSpan(LengthHeader.Length + 1), CultureInfo.InvariantCulture) : Body.Length;

        public JsonElement Json => JsonDocument.Parse(Body.AsMemory(0, JsonBytes)).RootElement;
    }
}
