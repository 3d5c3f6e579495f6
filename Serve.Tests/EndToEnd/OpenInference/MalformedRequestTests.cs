using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Serve.Frontend.OpenInference.Messages;
using Serve.Tests.Fuzzing;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>
/// Requests that are wrong in every way that a request can be wrong: each is the client's fault, and is told so; none harms
/// the server. <c>TEST_MALFORMED</c> says how many, <c>TEST_SEED</c> where they begin.
/// </summary>
[Collection(nameof(InferServer))]
public sealed class MalformedRequestTests
{
    private const int Usual = 3000;
    private const int Connections = 8;

    // What may grow meanwhile: pools, compiled code.
    private const long MostGrowthBytes = 150L << 20;

    private static readonly byte[][] Words = [.. ((string[])["\"", "[", "]", "{", "}", ",", ":", "null", "-1", "1e999", "9223372036854775808", "18446744073709551616", "\"data\":", "\"shape\":", "\"datatype\":", "\"binary_data_size\":", "\"parameters\":", "\"INT8\"", "\"BYTES\"", "\\ud800", "\\", "\u0000"]).Select(Encoding.UTF8.GetBytes), [0xFF], [0xC3, 0x28], [0xFF, 0xFF, 0xFF, 0x7F]];

    private readonly InferServer _models;
    private readonly ITestOutputHelper _output;

    public MalformedRequestTests(InferServer models, ITestOutputHelper output)
    {
        (_models, _output) = (models, output);
        models.Server.ShowLogs(output);
    }

    private static int Count => int.TryParse(Environment.GetEnvironmentVariable("TEST_MALFORMED"), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : Usual;

    private static int Seed => int.TryParse(Environment.GetEnvironmentVariable("TEST_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed : Random.Shared.Next();

    [Fact]
    public async Task Over_REST_each_is_a_4xx_with_a_message()
    {
        await RunAsync(Count, async (random, socket) =>
        {
            var (model, headers, body) = Request(random);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n{headers}\r\n"));
            await socket.SendAsync(body);
            var (status, answer) = await ReadAsync(socket);
            if (status == 200) return false;
            Assert.True(status is >= 400 and < 500, $"{status} {answer}");
            Assert.NotEmpty(JsonDocument.Parse(answer).RootElement.GetProperty("error").GetString()!);
            return true;
        });
    }

    [Fact]
    public async Task Over_gRPC_each_is_the_clients_fault()
    {
        var bytes = Marshallers.Create(static (byte[] message) => message, static message => message);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "inference.GRPCInferenceService", "ModelInfer", bytes, bytes);
        using var channel = global::Grpc.Net.Client.GrpcChannel.ForAddress(_models.Server.GrpcInference);
        var invoker = channel.CreateCallInvoker();
        await RunAsync(Count / 10, async (random, _) =>
        {
            var good = (random.Next(3) switch
            {
                0 => InferServer.Request("simple", InferServer.Simple()),
                1 => InferServer.Request("strings", WireTensor.OfTexts("x", [1, 2], "a", "bc")),
                _ => new ModelInferRequest { ModelName = "simple", Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "INPUT0", Datatype = "INT32", Shape = { 1, 16 }, Contents = new InferTensorContents { IntContents = { 1, 2 } } } } },
            }).ToByteArray();
            try
            {
                await invoker.AsyncUnaryCall(method, null, default, Mutator.Mutate(random, good, good, Words));
                return false;
            }
            catch (RpcException e)
            {
                Assert.True(e.StatusCode is StatusCode.InvalidArgument or StatusCode.NotFound or StatusCode.ResourceExhausted, $"{e.StatusCode} {e.Status.Detail}");
                Assert.NotEmpty(e.Status.Detail);
                return true;
            }
        });
    }

    private async Task RunAsync(int count, Func<Random, Socket, Task<bool>> sendAsync)
    {
        var (seed, next, refused) = (Seed, 0, 0);
        await EachAsync(Math.Min(count / 3, 1000)); // until what is made once is there
        var before = Processes.ResidentBytes(_models.Server.Pid);
        await EachAsync(count);
        var growth = Processes.ResidentBytes(_models.Server.Pid) - before;

        _output.WriteLine($"{refused} of {next} refused; the server grew by {growth >> 20} MiB.");
        Assert.True(refused > next / 2, $"Only {refused} of {next} were refused: these requests are not wrong enough.");
        Assert.True(growth < MostGrowthBytes, $"The server grew by {growth >> 20} MiB.");
        Assert.DoesNotContain(_models.Server.Log, line => line.Contains("failed unexpectedly", StringComparison.Ordinal));
        var healthy = await _models.Rest.InferAsync("simple", InferServer.Simple());
        Assert.True(healthy.Answer.Status == HttpStatusCode.OK, healthy.Answer.Text);

        Task EachAsync(int some)
        {
            var end = next + some;
            return Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(async () =>
            {
                using var socket = await RawClient.ConnectAsync(_models.Server.Inference);
                while (Interlocked.Increment(ref next) is var number && number <= end)
                {
                    try
                    {
                        if (await sendAsync(new Random(unchecked(seed + number)), socket)) Interlocked.Increment(ref refused);
                    }
                    catch (Exception e) when (e is not OperationCanceledException)
                    {
                        throw new InvalidOperationException($"TEST_SEED={unchecked(seed + number)}: {e.Message}", e);
                    }
                }

                Interlocked.Decrement(ref next);
            })));
        }
    }

    private static (string Model, string Headers, byte[] Body) Request(Random random)
    {
        var mine = Encoding.UTF8.GetBytes(random.Next(9) switch
        {
            0 => """{"inputs":[{"name":"INPUT0","shape":[1,-16],"datatype":"INT32","data":[1]},{"name":"INPUT1","shape":[1,16],"datatype":"INT32","data":[1]}]}""",
            1 => """{"inputs":[{"name":"INPUT0","shape":[4294967296,4294967296,16],"datatype":"INT32","data":[]},{"name":"INPUT1","shape":[1,16],"datatype":"INT32","data":[]}]}""",
            2 => $$"""{"inputs":{{new string('[', random.Next(1, 5000))}}""",
            3 => """{"id":"a","id":"b","inputs":[]}""",
            4 => $$"""{"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"{{(random.Next(2) == 0 ? "INT128" : "int32")}}","data":[1]}]}""",
            5 => $$"""{"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"INT32","data":[{{string.Join(',', Enumerable.Repeat("1", random.Next(1, 16)))}}]},{"name":"INPUT1","shape":[1,16],"datatype":"INT32","data":[]}]}""",
            6 => """{"inputs":[{"name":"INPUT0","shape":[1,16],"datatype":"INT32","parameters":{"binary_data_size":2147483647}},{"name":"INPUT1","shape":[1,16],"datatype":"INT32","parameters":{"binary_data_size":2147483647}}]}""",
            _ => "",
        });
        if (mine.Length > 0) return ("simple", LengthOf(random, mine.Length, mine.Length), mine);

        // A good one, and something is wrong with it.
        var isText = random.Next(2) == 0;
        using var good = isText
            ? InferClient.Request("strings", [WireTensor.OfTexts("x", [1, 2], "one", "two")], random.Next(2) == 0 ? Form.Binary : Form.Json, null)
            : InferClient.Request("simple", InferServer.Simple(), (Form)random.Next(3), null);
        var body = good.Content!.ReadAsByteArrayAsync().GetAwaiter().GetResult();
        var jsonBytes = good.Content!.Headers.TryGetValues(InferClient.LengthHeader, out var values) ? int.Parse(values.First(), CultureInfo.InvariantCulture) : body.Length;
        var model = isText ? "strings" : "simple";
        switch (random.Next(5))
        {
            case 0:
                return (model, LengthOf(random, jsonBytes, body.Length), body);
            case 1 when jsonBytes < body.Length:
                // Lengths of texts that reach beyond the tensor, or a tensor of another size.
                var damaged = Mutator.Mutate(random, body[jsonBytes..], body[jsonBytes..], Words);
                return (model, $"{InferClient.LengthHeader}: {jsonBytes}\r\n", [.. body[..jsonBytes], .. damaged]);
            case 2:
                return (model, $"Content-Encoding: {(random.Next(2) == 0 ? "gzip" : "deflate")}\r\n", Mutator.Mutate(random, body, body, Words));
            case 3:
                return (model, jsonBytes < body.Length ? $"{InferClient.LengthHeader}: {jsonBytes}\r\n" : "", body[..random.Next(body.Length)]);
            default:
                var json = Mutator.Mutate(random, body[..jsonBytes], body[..jsonBytes], Words);
                return (model, jsonBytes < body.Length ? $"{InferClient.LengthHeader}: {json.Length}\r\n" : "", [.. json, .. body[jsonBytes..]]);
        }
    }

    private static string LengthOf(Random random, int jsonBytes, int bodyBytes) => random.Next(4) switch
    {
        0 => $"{InferClient.LengthHeader}: {bodyBytes + random.Next(1, 100)}\r\n",
        1 => $"{InferClient.LengthHeader}: {(random.Next(2) == 0 ? "-1" : "99999999999999999999")}\r\n",
        2 => $"{InferClient.LengthHeader}: {random.Next(1, Math.Max(2, jsonBytes))}\r\n",
        _ => $"{InferClient.LengthHeader}: {(random.Next(2) == 0 ? "0x10" : "ten")}\r\n",
    };

    // One answer with a length; what the server closes has been answered before.
    private static async Task<(int Status, string Body)> ReadAsync(Socket socket)
    {
        var bytes = new byte[1 << 20];
        var filled = 0;
        while (true)
        {
            var read = await socket.ReceiveAsync(bytes.AsMemory(filled));
            Assert.True(read > 0, $"The server closed the connection after {Encoding.ASCII.GetString(bytes, 0, filled)}");
            filled += read;
            var end = bytes.AsSpan(0, filled).IndexOf("\r\n\r\n"u8);
            if (end < 0) continue;
            var head = Encoding.ASCII.GetString(bytes, 0, end);
            var length = int.Parse(head.Split("\r\n").Single(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))[15..], CultureInfo.InvariantCulture);
            if (filled < end + 4 + length) continue;
            return (int.Parse(head.AsSpan(9, 3), CultureInfo.InvariantCulture), Encoding.UTF8.GetString(bytes, end + 4, length));
        }
    }
}
