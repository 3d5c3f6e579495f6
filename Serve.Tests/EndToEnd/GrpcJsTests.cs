using System.Text.Json;

namespace Serve.Tests.EndToEnd;

/// <summary>
/// A gRPC client that is not .NET, <c>@grpc/grpc-js</c>, calls every method of the running server. The client is
/// Clients/grpc-js/client.js; its packages are those of its lock file.
/// </summary>
public sealed class GrpcJsTests : IClassFixture<ServerFixture>
{
    private const int Ok = 0;
    private const int InvalidArgument = 3;
    private const int NotFound = 5;
    private const int AlreadyExists = 6;

    private static readonly string Picture = Path.Combine(Repository.Root, "docs", "samples", "boot.png");

    private readonly ServerFixture _server;

    public GrpcJsTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Fact]
    public async Task Every_method_answers_a_client_in_JavaScript()
    {
        Assert.SkipUnless(GrpcJs.IsInstalled, GrpcJs.HowToInstall);
        var rest = await _server.PredictAsync("fashion-vit", await File.ReadAllBytesAsync(Picture, TestContext.Current.CancellationToken));

        var calls = await GrpcJs.RunAsync(
            "client.js", new Uri(_server.GrpcInference).Authority, new Uri(_server.GrpcManagement).Authority, Repository.Root, Picture, "fashion-vit", "fashion-vit");

        string Text(string call) => calls[call].Value.GetString()!;
        int Code(string call) => calls[call].Code;
        Assert.Equal("Healthy", JsonDocument.Parse(Text("Ping")).RootElement.GetProperty("status").GetString());
        Assert.Equal(rest.Text, Text("Predictions"));
        Assert.Equal(rest.Text, Text("Predictions of a version"));
        Assert.Equal(NotFound, Code("Predictions of no model"));
        Assert.Equal(InvalidArgument, Code("Predictions of no picture"));
        Assert.Equal([rest.Text], Texts(calls["StreamPredictions"]));
        Assert.Equal([rest.Text], Texts(calls["StreamPredictions2"]));

        Assert.Contains("fashion-vit", Text("ListModels"), StringComparison.Ordinal);
        Assert.Equal("fashion-vit", JsonDocument.Parse(Text("DescribeModel")).RootElement[0].GetProperty("modelName").GetString());
        Assert.Equal(1, JsonDocument.Parse(Text("DescribeModel customized")).RootElement.GetArrayLength());
        Assert.Equal(Ok, Code("RegisterModel"));
        Assert.Equal(AlreadyExists, Code("RegisterModel again"));
        Assert.Equal(Ok, Code("ScaleWorker"));
        Assert.Equal(Ok, Code("SetDefault"));
        Assert.Equal(Ok, Code("UnregisterModel"));
        Assert.Equal(NotFound, Code("DescribeModel afterwards"));
        foreach (var (listener, service) in new[] { ("inference", "org.pytorch.serve.grpc.inference.InferenceAPIsService"), ("management", "org.pytorch.serve.grpc.management.ManagementAPIsService") })
        {
            Assert.Equal("SERVING", Text($"Check of {listener}"));
            Assert.Equal(["SERVING"], Texts(calls[$"Watch of {listener}"]));
            Assert.Contains(service, Texts(calls[$"Reflection of {listener}"]));
        }
    }

    private static IEnumerable<string?> Texts(GrpcJs.Call call) => call.Value.EnumerateArray().SelectMany(part => part.ValueKind == JsonValueKind.Array ? part.EnumerateArray().ToArray() : [part]).Select(part => part.GetString());
}
