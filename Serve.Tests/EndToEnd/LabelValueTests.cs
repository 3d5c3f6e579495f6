using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Frontend.Grpc;
using Serve.Frontend.OpenInference.Messages;

namespace Serve.Tests.EndToEnd;

/// <summary>Names that clients make up become no label value: only registered models have series.</summary>
public sealed partial class LabelValueTests : IClassFixture<HandlerServer>
{
    private const int Requests = 10_000;
    private const int Calls = 500;

    private readonly ServerFixture _server;

    public LabelValueTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ten_thousand_unknown_names_and_versions_add_no_label_value()
    {
        await _server.ServeAsync("known", "EchoHandler");
        using var channel = GrpcChannel.ForAddress(_server.GrpcInference);
        var torchServe = new InferenceAPIsService.InferenceAPIsServiceClient(channel);
        var openInference = new GRPCInferenceService.GRPCInferenceServiceClient(channel);

        // What one of each kind leaves behind is there from now on.
        await AskAsync(0, 20);
        var before = Series(await _server.ScrapeAsync());
        await AskAsync(20, Requests + Calls);

        var after = Series(await _server.ScrapeAsync());
        Assert.Equal(before, after);
        Assert.Contains(after, series => series.StartsWith("serve_requests_total{model=\"known\"", StringComparison.Ordinal));
        var refused = await _server.MetricAsync("serve_http_requests_total{listener=\"inference\",code=\"4xx\"}") + await _server.MetricAsync("serve_http_requests_total{listener=\"grpc_inference\",code=\"4xx\"}");
        Assert.Equal(Requests + Calls, refused);

        Task AskAsync(int from, int to) => Parallel.ForEachAsync(Enumerable.Range(from, to - from), new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = Cancellation }, async (i, _) =>
        {
            if (i % 21 == 20) await CallAsync(i);
            else await RequestAsync(i);
        });

        async Task RequestAsync(int i)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"unknown-{i}");
            var (path, body) = (i % 10) switch
            {
                0 => ($"/predictions/{name}", "x"),
                1 => ($"/predictions/known/{name}", "x"),
                2 => ($"/predictions/{name}/{name}", "x"),
                3 => ($"/v2/models/{name}/infer", """{"inputs":[]}"""),
                4 => ($"/v2/models/known/versions/{name}/infer", """{"inputs":[]}"""),
                5 => ($"/v1/models/{name}:predict", """{"instances":[1]}"""),
                6 => ($"/models/{name}/invoke", "x"),
                7 => ($"/v2/models/{name}/generate", """{"text_input":"x"}"""),
                8 => ($"/{name}", "x"),
                _ => ($"/predictions/{name}%22%7D%0A", "x"),
            };
            var answer = await _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") });
            Assert.InRange((int)answer.Status, 400, 499);
        }

        async Task CallAsync(int i)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"unknown-{i}");
            var (model, version) = i % 2 == 0 ? (name, "") : ("known", name);
            var refusal = i % 4 < 2
                ? await Assert.ThrowsAsync<RpcException>(() => torchServe.PredictionsAsync(new PredictionsRequest { ModelName = model, ModelVersion = version, Input = { ["data"] = Google.Protobuf.ByteString.CopyFromUtf8("x") } }, cancellationToken: Cancellation).ResponseAsync)
                : await Assert.ThrowsAsync<RpcException>(() => openInference.ModelInferAsync(new ModelInferRequest { ModelName = model, ModelVersion = version }, cancellationToken: Cancellation).ResponseAsync);
            Assert.Equal(StatusCode.NotFound, refusal.StatusCode);
        }
    }

    // Names and labels, without values.
    private static List<string> Series(string scrape) => [.. Name().Matches(scrape).Select(series => series.Value).Order(StringComparer.Ordinal)];

    [GeneratedRegex(@"^[a-zA-Z_][^ {]*(\{.*\})?(?= )", RegexOptions.Multiline)]
    private static partial Regex Name();
}
