using System.Text.Json;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Tests.EndToEnd.OpenInference;

/// <summary>
/// A gRPC client that is not .NET, <c>@grpc/grpc-js</c>, calls every method of the protocol's service. The client is
/// Clients/grpc-js/open-inference.js.
/// </summary>
[Collection(nameof(InferServer))]
public sealed class InferJsTests
{
    private const int Ok = 0;
    private const int InvalidArgument = 3;
    private const int NotFound = 5;
    private const int Unimplemented = 12;

    private readonly InferServer _models;

    public InferJsTests(InferServer models, ITestOutputHelper output)
    {
        _models = models;
        models.Server.ShowLogs(output);
    }

    [Fact]
    public async Task Every_method_answers_a_client_in_JavaScript()
    {
        Assert.SkipUnless(GrpcJs.IsInstalled, GrpcJs.HowToInstall);
        var calls = await GrpcJs.RunAsync("open-inference.js", new Uri(_models.Server.GrpcInference).Authority, Path.Combine(Repository.Root, "Serve.Frontend", "OpenInference", "Protos"));

        JsonElement Value(string call) => calls[call].Code == Ok ? calls[call].Value : throw new InvalidOperationException($"{call}: {calls[call].Code} {calls[call].Details}");
        Assert.True(Value("ServerLive").GetProperty("live").GetBoolean());
        Assert.True(Value("ServerReady").GetProperty("ready").GetBoolean());
        Assert.True(Value("ModelReady").GetProperty("ready").GetBoolean());
        Assert.Contains("binary_tensor_data", Value("ServerMetadata").GetProperty("extensions").EnumerateArray().Select(extension => extension.GetString()));
        Assert.Equal(["INPUT0 INT32 -1,16", "INPUT1 INT32 -1,16"], Value("ModelMetadata").GetProperty("inputs").EnumerateArray().Select(input => $"{input.GetProperty("name").GetString()} {input.GetProperty("datatype").GetString()} {string.Join(',', input.GetProperty("shape").EnumerateArray())}"));
        Assert.Equal("simple", Value("ModelConfig").GetProperty("name").GetString());

        var answer = Value("ModelInfer");
        Assert.Equal("42", answer.GetProperty("id").GetString());
        Assert.Equal(["OUTPUT0", "OUTPUT1"], answer.GetProperty("outputs").EnumerateArray().Select(output => output.GetProperty("name").GetString()));
        Assert.Equal(Enumerable.Range(0, 16).Select(number => 3 * number), Numbers(answer.GetProperty("outputs")[0]));
        Assert.Equal(Enumerable.Range(0, 16).Select(number => -number), Numbers(Value("ModelInfer of one output")[0]));
        Assert.Equal("02000000c3a900000000", Value("ModelInfer of texts").GetString());
        Assert.Equal((NotFound, "Request for unknown model: 'nobody' is not found"), (calls["ModelInfer of no model"].Code, calls["ModelInfer of no model"].Details));
        Assert.Equal(InvalidArgument, calls["ModelInfer of one input"].Code);
        Assert.Equal(Unimplemented, calls["ModelInfer of a decoupled model"].Code);

        Assert.Equal(["a", "b", "c"], Value("ModelStreamInfer").EnumerateArray().Select(part => part.GetProperty("id").GetString()));
        Assert.StartsWith("Request for unknown model", Value("ModelStreamInfer")[1].GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal([5, 6, 7], Value("ModelStreamInfer of a decoupled model").EnumerateArray().Select(part => Numbers(part.GetProperty("outputs")[0]).Single()));

        Assert.True(Value("ModelStatistics")[0].GetProperty("inference_count").GetInt64() > 0);
        Assert.Contains("simple READY", Value("RepositoryIndex").EnumerateArray().Select(model => model.GetString()));
        Value("RepositoryModelUnload");
        Assert.False(Value("ModelReady afterwards").GetBoolean());
        Value("RepositoryModelLoad");
        Assert.True(Value("TraceSetting").GetInt32() > 0);
        Assert.True(Value("LogSettings").GetInt32() > 0);

        // No method is left out: each is there, also where Serve does not have what it is for.
        Assert.All(GRPCInferenceService.Descriptor.Methods, method => Assert.True(calls.ContainsKey(method.Name), method.Name));
    }

    private static IEnumerable<int> Numbers(JsonElement output) => output.GetProperty("numbers").EnumerateArray().Select(number => number.GetInt32());
}
