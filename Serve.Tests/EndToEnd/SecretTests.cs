using System.Net;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using Serve.Management.Grpc;
using Serve.Tests.EndToEnd.Tracing;

namespace Serve.Tests.EndToEnd;

/// <summary>No secret comes out of a server anywhere: everything that one with all kinds of them writes and answers is searched.</summary>
public sealed class SecretTests(ITestOutputHelper output) : IDisposable
{
    private const string Inference = "inference-token-7d1f0a";
    private const string Manager = "management-token-93ab4c";
    private const string Wrong = "wrong-token-5520cc11";
    private const string Collector = "collector-key-e8812f";
    private const string Signed = "signature-4410bd";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Logs_answers_metrics_and_snapshots_have_no_token_no_key_and_no_signature()
    {
        await File.WriteAllTextAsync(_folder["tokens"], Manager, TestContext.Current.CancellationToken);
        await using var collector = await Tracing.Collector.StartAsync(isGrpc: true);
        var environment = new Dictionary<string, string> { ["INFERENCE_TOKENS"] = Inference, ["COLLECTOR_KEY"] = Collector };
        await using var server = await TracedServer.StartAsync(
            output, environment, [],
            "--load-models", "none", "--log-level", "trace", "--access-log", "true", "--logging-format", "json", "--logging-folder", _folder["logs"],
            "--inference-tokens", "env:INFERENCE_TOKENS", "--management-tokens", "file:" + _folder["tokens"], "--key-file", _folder["key_file.json"],
            "--snapshot-folder", _folder["snapshots"], "--allowed-urls", "https://.*", "--tracing-endpoint", collector.Url, "--tracing-headers", "authorization=env:COLLECTOR_KEY");
        HandlerModels.Write(server.ModelStore, "failing", "FailingHandler");
        var apiKey = Key("API");
        var seen = new List<string>();

        // Right tokens, wrong ones, and tokens where they do not belong.
        await AskAsync(HttpMethod.Post, server.Management + "/models?url=failing/1.0&initial_workers=1&synchronous=true", Manager, HttpStatusCode.OK);
        await AskAsync(HttpMethod.Post, server.Inference + "/predictions/failing", Inference, HttpStatusCode.OK, "x");
        await AskAsync(HttpMethod.Post, server.Inference + "/predictions/failing", Inference, HttpStatusCode.InternalServerError, "broken");
        await AskAsync(HttpMethod.Post, server.Inference + "/predictions/failing", Wrong, HttpStatusCode.Unauthorized, "x");
        await AskAsync(HttpMethod.Post, server.Inference + "/predictions/failing", Inference, HttpStatusCode.BadRequest, "x", ("x-serve-priority", "high"));
        await AskAsync(HttpMethod.Get, server.Management + "/models/failing", Manager, HttpStatusCode.OK);
        await AskAsync(HttpMethod.Get, server.Management + "/models/failing", Inference, HttpStatusCode.Unauthorized);
        await AskAsync(HttpMethod.Get, server.Management + "/token?type=inference", Wrong, HttpStatusCode.Unauthorized);
        await AskAsync(HttpMethod.Get, server.Management + "/token?type=inference", apiKey, HttpStatusCode.OK);

        // URLs with signatures: as a parameter, in a body, over gRPC, and as what a client of a model sends.
        var url = $"https://user:{Signed}@127.0.0.1:9/x.mar?X-Amz-Signature={Signed}";
        await AskAsync(HttpMethod.Post, server.Management + "/models?url=" + Uri.EscapeDataString(url), Manager, HttpStatusCode.BadRequest);
        await AskAsync(HttpMethod.Post, server.Management + "/models", Manager, HttpStatusCode.BadRequest, JsonSerializer.Serialize(new { url, model_name = "signed" }));
        await AskAsync(HttpMethod.Post, server.Inference + "/models/failing/invoke?picture=" + Uri.EscapeDataString(url), Inference, HttpStatusCode.OK);
        seen.RemoveAt(seen.Count - 1); // the model's own answer, which is what it was sent
        using (var channel = GrpcChannel.ForAddress(server.GrpcManagement))
        {
            var client = new ManagementAPIsService.ManagementAPIsServiceClient(channel);
            var refused = await Assert.ThrowsAsync<RpcException>(() => client.RegisterModelAsync(new RegisterModelRequest { Url = url }, new Metadata { { "authorization", $"Bearer {Manager}" } }).ResponseAsync);
            seen.Add(refused.ToString());
        }

        await collector.WaitForAsync(spans => spans.Count(span => span.IsServer) >= 4);
        Assert.Equal(Collector, collector.Headers["authorization"]);
        seen.AddRange((await collector.WaitForAsync(_ => true)).Select(span => span.ToString()));
        seen.Add(await server.ScrapeAsync());
        Assert.Equal(0, await server.StopAsync());
        seen.AddRange(server.Log);
        foreach (var folder in (string[])["logs", "snapshots"])
        {
            var files = Directory.GetFiles(_folder[folder]);
            Assert.NotEmpty(files);
            foreach (var file in files.Where(file => !file.EndsWith(".lock", StringComparison.Ordinal))) seen.Add(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        }

        // What is searched is there, and the requests are found by their ids.
        var all = string.Join('\n', seen);
        Assert.Contains("\"target\":\"/predictions/failing\"", all, StringComparison.Ordinal);
        Assert.Contains("Something broke", all, StringComparison.Ordinal);
        Assert.All(all.Split('\n').Where(line => line.Contains("\"target\":", StringComparison.Ordinal)), line => Assert.Contains("\"requestId\":", line, StringComparison.Ordinal));
        foreach (var secret in (string[])[Inference, Manager, Wrong, Collector, Signed, apiKey]) Assert.DoesNotContain(secret, all, StringComparison.OrdinalIgnoreCase);

        string Key(string name)
        {
            using var keys = JsonDocument.Parse(File.ReadAllText(_folder["key_file.json"]));
            return keys.RootElement.GetProperty(name).GetProperty("key").GetString()!;
        }

        async Task AskAsync(HttpMethod method, string address, string token, HttpStatusCode expected, string? body = null, params (string Name, string Value)[] headers)
        {
            using var request = new HttpRequestMessage(method, address);
            if (body is not null) request.Content = new StringContent(body, System.Text.Encoding.UTF8, body.StartsWith('{') ? "application/json" : "text/plain");
            request.Headers.TryAddWithoutValidation("authorization", $"Bearer {token}");
            foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
            var answer = await server.SendAsync(request);
            Assert.True(expected == answer.Status, $"{method} {request.RequestUri!.AbsolutePath}: {answer.Status} {answer.Text}");
            seen.Add(answer.Text);
        }
    }
}
