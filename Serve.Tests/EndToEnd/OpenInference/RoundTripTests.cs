using Google.Protobuf;
using Serve.Frontend.OpenInference.Messages;
using InputMessage = Serve.Frontend.OpenInference.Messages.ModelInferRequest.Types.InferInputTensor;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>Random tensors of every datatype and of random shapes, empty ones too, come back bit for bit, however they travel.</summary>
[Collection(nameof(InferServer))]
public sealed class RoundTripTests
{
    private const int Rounds = 25;

    private static readonly string[] BinaryOnly = ["FP16", "BF16"];

    private readonly InferServer _models;

    public RoundTripTests(InferServer models, ITestOutputHelper output)
    {
        _models = models;
        models.Server.ShowLogs(output);
    }

    [Fact]
    public Task Over_REST_binary() => EveryAsync(async (random, inputs) => (await _models.Rest.InferAsync("everything", inputs, Form.Binary)).Outputs);

    [Fact]
    public Task Over_gRPC_raw() => EveryAsync(async (random, inputs) => InferServer.Outputs(await _models.Grpc.ModelInferAsync(InferServer.Request("everything", inputs))));

    [Fact]
    public Task Over_REST_in_JSON_but_for_what_JSON_cannot_carry() => EveryAsync(
        async (random, inputs) =>
        {
            // Those of two bytes must be binary; of the others, any.
            var request = MixedRequest(random, inputs, out var outputs);
            var answer = InferClient.Read(await _models.Server.SendAsync(request));
            Assert.Equal(outputs.Order(), answer.Json.GetProperty("outputs").EnumerateArray().Where(output => output.TryGetProperty("parameters", out _)).Select(output => output.GetProperty("name").GetString()).Order());
            return answer.Outputs;
        },
        isForJson: true);

    [Fact]
    public async Task Over_gRPC_typed()
    {
        var random = new Random(7);
        for (var round = 0; round < Rounds; round++)
        {
            // Typed and raw contents never stand in one request, and "everything" has inputs that are raw only.
            var texts = WireTensor.Random(random, "x", "BYTES", [random.Next(1, 4), random.Next(4)], isForJson: false);
            var typed = new InputMessage { Name = "x", Datatype = "BYTES", Shape = { texts.Shape }, Contents = new InferTensorContents() };
            typed.Contents.BytesContents.Add(texts.Strings().Select(bytes => ByteString.CopyFrom(bytes)));
            Check([texts], InferServer.Outputs(await _models.Grpc.ModelInferAsync(new ModelInferRequest { ModelName = "strings", Inputs = { typed } })));

            var numbers = WireTensor.Random(random, "x", "FP32", [random.Next(1, 4), random.Next(5)], isForJson: false);
            typed = new InputMessage { Name = "x", Datatype = "FP32", Shape = { numbers.Shape }, Contents = new InferTensorContents { Fp32Contents = { numbers.Elements<float>() } } };
            Check([numbers], InferServer.Outputs(await _models.Grpc.ModelInferAsync(new ModelInferRequest { ModelName = "dynamic", Inputs = { typed } })));
        }
    }

    private static async Task EveryAsync(Func<Random, WireTensor[], Task<IReadOnlyList<WireTensor>>> send, bool isForJson = false)
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        for (var round = 0; round < Rounds; round++)
        {
            WireTensor[] inputs =
            [
                .. InferServer.Types.Select(type => WireTensor.Random(random, $"in_{type.Datatype}", type.Datatype, [Size(), Size(), Size()], isForJson)),
                WireTensor.Random(random, "in_scalar", "INT32", [], isForJson),
                WireTensor.Random(random, "in_list", "FP32", [Size()], isForJson),
            ];
            random.Shuffle(inputs);
            try
            {
                Check(inputs, await send(random, inputs));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Seed {seed}, round {round}: {e.Message}", e);
            }

            long Size() => random.Next(6) switch { 0 => 0, 1 => 1, 2 => random.Next(40), _ => random.Next(5) };
        }
    }

    private static void Check(IEnumerable<WireTensor> inputs, IReadOnlyList<WireTensor> outputs)
    {
        foreach (var input in inputs)
        {
            var output = outputs.Single(output => output.Name == (input.Name == "x" ? "y" : input.Name.Replace("in_", "out_", StringComparison.Ordinal)));
            Assert.Equal(input.Datatype, output.Datatype);
            Assert.Equal(input.Shape, output.Shape);
            Assert.Equal(input.Data, output.Data);
        }
    }

    private static HttpRequestMessage MixedRequest(Random random, WireTensor[] inputs, out List<string> binary)
    {
        var request = new System.Text.Json.Nodes.JsonObject();
        var outputs = new System.Text.Json.Nodes.JsonArray();
        binary = [];
        foreach (var input in inputs)
        {
            var name = input.Name.Replace("in_", "out_", StringComparison.Ordinal);
            var isBinary = BinaryOnly.Contains(input.Datatype) || random.Next(5) == 0;
            if (isBinary) binary.Add(name);
            outputs.Add(new System.Text.Json.Nodes.JsonObject { ["name"] = name, ["parameters"] = new System.Text.Json.Nodes.JsonObject { ["binary_data"] = isBinary } });
        }

        request["outputs"] = outputs;
        return InferClient.Request("everything", inputs, input => BinaryOnly.Contains(input.Datatype) || random.Next(5) == 0, request);
    }
}
