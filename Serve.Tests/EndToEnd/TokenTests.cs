using System.Net;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Serve.Core.Configuration.Tokens;
using Serve.Frontend.Grpc;
using Serve.Management.Grpc;

namespace Serve.Tests.EndToEnd;

/// <summary>A server that asks who calls.</summary>
public sealed class TokenTests(TokenTests.GuardedServer guarded, ITestOutputHelper output) : IClassFixture<TokenTests.GuardedServer>, IDisposable
{
    private const string Refusal = "Token Authorization failed. Token either incorrect, expired, or not provided correctly";

    private static readonly byte[] Boot = File.ReadAllBytes(Path.Combine(Repository.Root, "docs", "samples", "boot.png"));

    private readonly ServerFixture _server = guarded.Show(output);
    private readonly GrpcChannel _inference = GrpcChannel.ForAddress(guarded.Server.GrpcInference);
    private readonly GrpcChannel _management = GrpcChannel.ForAddress(guarded.Server.GrpcManagement);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _inference.Dispose();
        _management.Dispose();
    }

    [Fact]
    public async Task Without_a_valid_token_everything_is_a_401_in_the_shape_of_other_errors()
    {
        foreach (var header in (string?[])[null, "Bearer", "Bearer ", "Bearer wrong-token-000000000", $"Basic {guarded.InferenceToken}", guarded.InferenceToken, $"Bearer {guarded.InferenceToken} {guarded.InferenceToken}", $"Bearer {guarded.ExpiredToken}", $"Bearer {new string('x', 5000)}"])
        {
            foreach (var (method, url) in new[] { (HttpMethod.Post, _server.Inference + "/predictions/fashion-vit"), (HttpMethod.Get, _server.Inference + "/ping"), (HttpMethod.Get, _server.Inference + "/no/such/route"), (HttpMethod.Get, _server.Management + "/models"), (HttpMethod.Delete, _server.Management + "/models/fashion-vit") })
            {
                var answer = await AskAsync(method, url, header);
                Assert.Equal((HttpStatusCode.Unauthorized, "Bearer"), (answer.Status, answer.Headers["WWW-Authenticate"]));
                Assert.Equal((401, "InvalidKeyException", Refusal), (answer.Error.Code, answer.Error.Type, answer.Error.Message));
            }
        }

        var two = new HttpRequestMessage(HttpMethod.Get, _server.Inference + "/ping");
        two.Headers.TryAddWithoutValidation("Authorization", [$"Bearer {guarded.InferenceToken}", $"Bearer {guarded.InferenceToken}"]);
        Assert.Equal(HttpStatusCode.Unauthorized, (await _server.SendAsync(two)).Status);
    }

    [Fact]
    public async Task Each_token_opens_what_it_is_for()
    {
        foreach (var token in (string[])[guarded.InferenceToken, guarded.SecondInferenceToken, guarded.ManagementToken])
        {
            Assert.Equal("Ankle boot", (await AskAsync(HttpMethod.Post, _server.Inference + "/predictions/fashion-vit", $"bearer  {token}", Boot)).Json.EnumerateObject().First().Name);
        }

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(HttpMethod.Get, _server.Management + "/models", $"Bearer {guarded.ManagementToken}")).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(HttpMethod.Get, _server.Management + "/models", $"Bearer {guarded.InferenceToken}")).Status);
    }

    [Fact]
    public async Task Metrics_need_no_token_and_count_those_who_had_none()
    {
        const string Series = "serve_unauthorized_total{listener=\"inference\"}";
        var before = await _server.MetricAsync(Series);
        await AskAsync(HttpMethod.Get, _server.Inference + "/ping", null);
        Assert.Equal(before + 1, await _server.MetricAsync(Series));
    }

    [Fact]
    public async Task The_description_of_the_API_needs_no_token()
    {
        foreach (var listener in (string[])[_server.Inference, _server.Management])
        {
            Assert.NotEqual(HttpStatusCode.Unauthorized, (await AskAsync(HttpMethod.Options, listener + "/", null)).Status);
            Assert.NotEqual(HttpStatusCode.Unauthorized, (await AskAsync(HttpMethod.Get, listener + "/api-description", null)).Status);
            Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(HttpMethod.Get, listener + "/", null)).Status);
        }
    }

    [Theory]
    [InlineData("/livez")]
    [InlineData("/readyz")]
    [InlineData("/startupz")]
    public async Task Probes_of_an_orchestrator_need_no_token(string path)
    {
        var answer = await AskAsync(HttpMethod.Get, _server.Inference + path, null);
        Assert.Equal((HttpStatusCode.OK, "OK"), (answer.Status, answer.Json.GetProperty("status").GetString()));
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(HttpMethod.Get, _server.Inference + path + "/more", null)).Status);
    }

    [Fact]
    public async Task A_handler_sees_no_token()
    {
        var seen = await AskAsync(HttpMethod.Post, _server.Inference + "/predictions/headers", $"Bearer {guarded.InferenceToken}");
        Assert.Equal(HttpStatusCode.OK, seen.Status);
        Assert.DoesNotContain("authorization", seen.Text, StringComparison.OrdinalIgnoreCase);

        var call = await new InferenceAPIsService.InferenceAPIsServiceClient(_inference).PredictionsAsync(
            new() { ModelName = "headers", Input = { ["data"] = ByteString.Empty } }, Bearer(guarded.InferenceToken), cancellationToken: Cancellation);
        Assert.DoesNotContain("authorization", call.Prediction.ToStringUtf8(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Calls_need_them_too_but_for_health()
    {
        var inference = new InferenceAPIsService.InferenceAPIsServiceClient(_inference);
        var management = new ManagementAPIsService.ManagementAPIsServiceClient(_management);
        foreach (var token in (string?[])[null, "wrong-token-000000000", guarded.ExpiredToken])
        {
            await RefusesAsync(async () => await inference.PingAsync(new Empty(), Bearer(token), cancellationToken: Cancellation));
            await RefusesAsync(async () => await management.ListModelsAsync(new(), Bearer(token), cancellationToken: Cancellation));
        }

        await RefusesAsync(async () => await management.ListModelsAsync(new(), Bearer(guarded.InferenceToken), cancellationToken: Cancellation));
        Assert.Contains("Healthy", (await inference.PingAsync(new Empty(), Bearer(guarded.InferenceToken), cancellationToken: Cancellation)).Health, StringComparison.Ordinal);
        Assert.Contains("fashion-vit", (await management.ListModelsAsync(new(), Bearer(guarded.ManagementToken), cancellationToken: Cancellation)).Msg, StringComparison.Ordinal);
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await new Health.HealthClient(_inference).CheckAsync(new(), cancellationToken: Cancellation)).Status);

        static async Task RefusesAsync(Func<Task> call)
        {
            var error = await Assert.ThrowsAsync<RpcException>(call);
            Assert.Equal((StatusCode.Unauthenticated, Refusal, "InvalidKeyException"), (error.StatusCode, error.Status.Detail, error.Trailers.GetValue("serve-error-type")));
        }
    }

    [Fact]
    public async Task A_token_is_replaced_while_the_server_runs()
    {
        var (old, next) = (AccessToken.NewText(), AccessToken.NewText());
        await guarded.WriteTokensAsync(guarded.Rotated, old, next);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (await PingAsync(old), await PingAsync(next)));
        await guarded.WriteTokensAsync(guarded.Rotated, next);
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (await PingAsync(old), await PingAsync(next)));
    }

    [Fact]
    public async Task An_overview_that_is_watched_ends_when_its_token_is_withdrawn()
    {
        var token = AccessToken.NewText();
        await guarded.WriteTokensAsync(guarded.RotatedManagement, token);
        using var request = new HttpRequestMessage(HttpMethod.Get, _server.Management + "/overview?stream=true");
        request.Headers.Authorization = new("Bearer", token);
        using var answer = await _server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
        Assert.StartsWith("data: ", await events.ReadLineAsync(Cancellation), StringComparison.Ordinal);

        await guarded.WriteTokensAsync(guarded.RotatedManagement);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await events.ReadToEndAsync(patience.Token);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(HttpMethod.Get, _server.Management + "/overview", $"Bearer {token}")).Status);
    }

    [Fact]
    public async Task No_token_is_ever_in_what_the_server_says()
    {
        var described = await AskAsync(HttpMethod.Get, _server.Management + "/models/headers", $"Bearer {guarded.ManagementToken}");
        await AskAsync(HttpMethod.Get, _server.Inference + "/predictions/none", $"Bearer {guarded.InferenceToken}");
        await AskAsync(HttpMethod.Get, _server.Inference + "/ping", "Bearer never-valid-but-secret");
        await AskAsync(HttpMethod.Post, _server.Management + "/models?url=" + Uri.EscapeDataString("https://models.example/x.mar?X-Amz-Signature=signed-secret") + "&model_name=signed", $"Bearer {guarded.ManagementToken}");
        await _server.WaitForLogAsync(line => line.Contains("POST /models?url=https", StringComparison.Ordinal) && line.Contains("model_name=signed", StringComparison.Ordinal));
        await guarded.WriteTokensAsync(guarded.Rotated, "almost-secret");
        await _server.WaitForLogAsync(line => line.Contains("/none ", StringComparison.Ordinal));

        var said = string.Join('\n', _server.Log) + described.Text + await _server.ScrapeAsync() + string.Concat(Directory.EnumerateFiles(_server.RuntimeFolder, "*.json").Select(File.ReadAllText));
        Assert.All((string[])[guarded.InferenceToken, guarded.SecondInferenceToken, guarded.ManagementToken, guarded.ExpiredToken, "never-valid-but-secret", "almost-secret", "signed-secret"],
            token => Assert.DoesNotContain(token, said, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_worker_does_not_inherit_them()
    {
        if (!OperatingSystem.IsLinux()) return;
        var described = await AskAsync(HttpMethod.Get, _server.Management + "/models/headers", $"Bearer {guarded.ManagementToken}");
        var pid = described.Json[0].GetProperty("workers")[0].GetProperty("pid").GetInt32();
        var environment = await File.ReadAllTextAsync($"/proc/{pid}/environ", Cancellation);
        Assert.Contains("SERVE_WORKER_TOKEN=", environment, StringComparison.Ordinal);
        Assert.DoesNotContain(guarded.ManagementToken, environment, StringComparison.Ordinal);
        Assert.DoesNotContain(guarded.InferenceToken, environment, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commands_send_the_token_that_they_are_given()
    {
        var (code, text) = await _server.RunAsync("status", "--token", guarded.ManagementToken);
        Assert.True(code == 0 && text.Contains("fashion-vit", StringComparison.Ordinal), text);
        foreach (var arguments in (string[][])[["status"], ["models", "--token", "wrong-token-000000000"]])
        {
            (code, text) = await _server.RunAsync(arguments);
            Assert.Equal((1, $"{Refusal} Set SERVE_TOKEN, or give --token."), (code, text.Trim()));
        }

        (code, text) = await _server.RunAsync("bench", "fashion-vit", "--concurrency", "1", "--duration", "100ms", "--warm-up", "1ms", "--json", "--token", guarded.ManagementToken);
        Assert.True(code == 0, text);
    }

    [Fact]
    public async Task A_token_that_a_command_makes_is_one_that_a_server_takes()
    {
        using var output = new StringWriter();
        Assert.Equal(0, await Serve.Frontend.Commands.ServeCommandLine.RunAsync(["token", "create", "--expires-in-days", "1"], output, output));
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line[7..].Trim()).ToList();
        await guarded.WriteTokensAsync(guarded.Rotated, lines[1]);
        Assert.Equal(HttpStatusCode.OK, await PingAsync(lines[0]));
        Assert.Contains(" expires=", lines[1], StringComparison.Ordinal);
        Assert.StartsWith(AccessToken.HashText(lines[0]), lines[1], StringComparison.Ordinal);
    }

    private static Metadata Bearer(string? token) => token is null ? [] : new Metadata { { "authorization", $"Bearer {token}" } };

    private async Task<HttpStatusCode> PingAsync(string token) => (await AskAsync(HttpMethod.Get, _server.Inference + "/ping", $"Bearer {token}")).Status;

    private Task<Answer> AskAsync(HttpMethod method, string url, string? authorization, byte[]? body = null) => guarded.AskAsync(method, url, authorization, body);

    /// <summary>One server for the class, as an operator would configure it.</summary>
    public sealed class GuardedServer : IAsyncLifetime
    {
        private readonly TemporaryFolder _folder = new();
        private ServerFixture? _server;

        internal string InferenceToken { get; } = AccessToken.NewText();

        internal string SecondInferenceToken { get; } = AccessToken.NewText();

        internal string ExpiredToken { get; } = AccessToken.NewText();

        internal string ManagementToken { get; } = AccessToken.NewText();

        internal ServerFixture Server => _server!;

        internal string Rotated => _folder["rotated"];

        internal string RotatedManagement => _folder["rotated-management"];

        public async ValueTask InitializeAsync()
        {
            File.WriteAllText(Rotated, "");
            File.WriteAllText(RotatedManagement, "");
            var file = _folder.Write("inference", $"# for the tests\n{InferenceToken}\n{AccessToken.HashText(SecondInferenceToken)}\n{ExpiredToken} expires=2020-01-01\n");
            _server = await ServerFixture.StartAsync(new ServerOptions
            {
                Flags = ["--inference-tokens", $"file:{file},file:{Rotated}", "--management-tokens", $"env:MANAGEMENT_TOKEN,file:{RotatedManagement}", "--log-level", "trace", "--access-log", "true"],
                Environment = new Dictionary<string, string> { ["MANAGEMENT_TOKEN"] = ManagementToken, ["SERVE_TOKEN"] = InferenceToken },
            });
            HandlerModels.Write(_server.ModelStore, "headers", "HeaderEchoHandler");
            var registered = await AskAsync(HttpMethod.Post, _server.Management + "/models?url=headers/1.0&initial_workers=1", $"Bearer {ManagementToken}");
            Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);
        }

        public async ValueTask DisposeAsync()
        {
            if (_server is not null) await _server.DisposeAsync();
            _folder.Dispose();
        }

        internal ServerFixture Show(ITestOutputHelper output)
        {
            Server.ShowLogs(output);
            return Server;
        }

        /// <summary>Replaces the tokens of a file, and waits until the server has looked.</summary>
        internal async Task WriteTokensAsync(string file, params string[] tokens)
        {
            var before = Server.Log.Count(IsAboutFile);
            File.WriteAllText(file, string.Join('\n', tokens));
            await Eventually.HoldsAsync("the server has looked into the file", () => Server.Log.Count(IsAboutFile) > before);

            bool IsAboutFile(string line) => line.Contains(file + ' ', StringComparison.Ordinal) || line.Contains(file + ':', StringComparison.Ordinal);
        }

        internal Task<Answer> AskAsync(HttpMethod method, string url, string? authorization, byte[]? body = null)
        {
            var request = new HttpRequestMessage(method, url) { Content = body is null ? null : new ByteArrayContent(body) };
            if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
            return Server.SendAsync(request);
        }
    }
}
