using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>The inference listener, as clients see it.</summary>
public sealed class InferenceApiTests : IClassFixture<ServerFixture>
{
    private static readonly byte[] Boot = File.ReadAllBytes(Path.Combine(Repository.Root, "docs", "samples", "boot.png"));

    private readonly ServerFixture _server;

    public InferenceApiTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    [Theory]
    [InlineData("POST", "/predictions/fashion-vit")]
    [InlineData("PUT", "/predictions/fashion-vit")]
    [InlineData("POST", "/predictions/fashion-vit/1.0")]
    [InlineData("POST", "/predictions/fashion-vit/1.0/some/path")]
    [InlineData("POST", "/invocations")]
    [InlineData("POST", "/invocations?model_name=fashion-vit")]
    public async Task A_picture_gets_its_labels(string method, string path)
    {
        var answer = await _server.SendAsync(new HttpRequestMessage(new HttpMethod(method), _server.Inference + path) { Content = new ByteArrayContent(Boot) });

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        var labels = answer.Json.EnumerateObject().ToList();
        Assert.Equal(5, labels.Count);
        Assert.Equal("Ankle boot", labels[0].Name);
        Assert.InRange(labels[0].Value.GetDouble(), 0.5, 1);
        Assert.Equal(labels.Select(label => label.Value.GetDouble()).OrderDescending(), labels.Select(label => label.Value.GetDouble()));
    }

    [Fact]
    public async Task A_picture_in_a_form_gets_its_labels()
    {
        using var form = new MultipartFormDataContent { { new ByteArrayContent(Boot) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } }, "data", "boot.png" } };
        var answer = await _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, _server.Inference + "/predictions/fashion-vit") { Content = form });
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal("Ankle boot", answer.Json.EnumerateObject().First().Name);
    }

    [Fact]
    public async Task A_form_names_the_model_of_an_invocation()
    {
        using var form = new MultipartFormDataContent { { new StringContent("none"), "model_name" }, { new ByteArrayContent(Boot), "data", "boot.png" } };
        var answer = await _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, _server.Inference + "/invocations") { Content = form });
        Assert.Equal((HttpStatusCode.NotFound, "Model not found: none"), (answer.Status, answer.Error.Message));
    }

    [Fact]
    public async Task A_body_of_unannounced_length_is_read()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _server.Inference + "/predictions/fashion-vit") { Content = new ByteArrayContent(Boot) };
        request.Headers.TransferEncodingChunked = true;
        Assert.Equal(HttpStatusCode.OK, (await _server.SendAsync(request)).Status);
    }

    [Fact]
    public async Task A_client_may_ask_before_it_sends()
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, _server.Inference + "/predictions/fashion-vit") { Content = new ByteArrayContent(Boot) };
        request.Headers.ExpectContinue = true;
        Assert.Equal(HttpStatusCode.OK, (await _server.SendAsync(request)).Status);
    }

    [Fact]
    public async Task A_client_that_asked_and_was_refused_is_told_to_use_another_connection()
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, _server.Inference + "/predictions/none") { Content = new ByteArrayContent(Boot) };
        request.Headers.ExpectContinue = true;
        var answer = await _server.SendAsync(request);
        Assert.Equal((HttpStatusCode.NotFound, "close"), (answer.Status, answer.Headers["Connection"]));
    }

    [Fact]
    public async Task Every_answer_has_the_common_headers()
    {
        foreach (var path in (string[])["/ping", "/nowhere", "/predictions/none"])
        {
            var answer = await _server.GetAsync(path);
            Assert.True(Guid.TryParse(answer.Headers["x-request-id"], out _));
            Assert.Equal("no-cache", answer.Headers["Pragma"]);
            Assert.StartsWith("Thu, 01 Jan 1970 00:00:00", answer.Headers["Expires"], StringComparison.Ordinal);
            Assert.Contains("no-store", answer.Headers["Cache-Control"], StringComparison.Ordinal);
            Assert.Equal("application/json", answer.Headers["Content-Type"]);
            Assert.EndsWith("\n", answer.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_clients_own_request_id_comes_back()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, _server.Inference + "/ping") { Headers = { { "x-request-id", "order-17" } } };
        Assert.Equal("order-17", (await _server.SendAsync(request)).Headers["x-request-id"]);
    }

    [Fact]
    public async Task Ping_says_Healthy() => Assert.Equal("{\n  \"status\": \"Healthy\"\n}\n", (await _server.GetAsync("/ping")).Text);

    [Theory]
    [InlineData("/nowhere", 404, "ResourceNotFoundException", "Requested resource is not found, please refer to API document.")]
    [InlineData("/predictions", 404, "ResourceNotFoundException", "Requested resource is not found, please refer to API document.")]
    [InlineData("/models", 404, "ResourceNotFoundException", "Requested resource is not found, please refer to API document.")]
    [InlineData("/metrics", 404, "ResourceNotFoundException", "Requested resource is not found, please refer to API document.")]
    [InlineData("/predictions/none", 404, "ModelNotFoundException", "Model not found: none")]
    [InlineData("/predictions/fashion-vit/9.9", 404, "ModelVersionNotFoundException", "Model version: 9.9 does not exist for model: fashion-vit")]
    public async Task What_is_not_there_is_a_404_of_its_kind(string path, int status, string type, string message)
    {
        var answer = await _server.GetAsync(path);
        Assert.Equal((status, type, message), ((int)answer.Status, answer.Error.Type, answer.Error.Message));
        Assert.Equal(status, answer.Error.Code);
    }

    [Theory]
    [InlineData("multipart/form-data; boundary=x", "malformed")]
    [InlineData("multipart/form-data", "boundary")]
    public async Task A_malformed_form_is_a_400(string contentType, string complaint)
    {
        using var content = new ByteArrayContent(Boot);
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        var answer = await _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, _server.Inference + "/predictions/fashion-vit") { Content = content });
        Assert.Equal((HttpStatusCode.BadRequest, "BadRequestException"), (answer.Status, answer.Error.Type));
        Assert.Contains(complaint, answer.Error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x-serve-priority", "first")]
    [InlineData("x-serve-priority", "-1")]
    [InlineData("x-serve-priority", "7")]
    [InlineData("x-serve-timeout-ms", "0")]
    [InlineData("x-serve-timeout-ms", "1s")]
    public async Task A_wrong_option_is_a_400(string header, string value)
    {
        var answer = await _server.PredictAsync("fashion-vit", Boot, null, (header, value));
        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Contains(value, answer.Error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 100000000\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n")]
    public async Task A_body_beyond_the_limit_is_refused_with_413(string length)
    {
        var address = new Uri(_server.Inference);
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /predictions/fashion-vit HTTP/1.1\r\nHost: x\r\n{length}"));
        if (length.StartsWith('T')) await SendChunksAsync(stream, 70 << 20);

        using var reader = new StreamReader(stream);
        Assert.Equal("HTTP/1.1 413 Payload Too Large", await reader.ReadLineAsync());
        var rest = await ReadAnswerAsync(reader);
        Assert.Contains("\"code\": 413", rest, StringComparison.Ordinal);
        Assert.Contains("67108864 bytes (maxRequestSize)", rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_is_counted_and_hurts_nobody()
    {
        const string Left = "serve_requests_total{model=\"fashion-vit\",version=\"1.0\",code=\"499\"}";
        using var gone = new CancellationTokenSource();
        var body = new StallingContent();
        var sending = _server.Http.PostAsync(_server.Inference + "/predictions/fashion-vit", body, gone.Token);
        await body.Begun;
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);

        Assert.Equal(HttpStatusCode.OK, (await _server.PredictAsync("fashion-vit", Boot)).Status);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await _server.MetricAsync(Left) < 1) patience.Token.ThrowIfCancellationRequested();
    }

    [Fact]
    public async Task Requests_are_counted_and_timed()
    {
        const string Labels = "model=\"fashion-vit\",version=\"1.0\"";
        var before = await _server.MetricAsync($"serve_requests_total{{{Labels},code=\"200\"}}");
        await _server.PredictAsync("fashion-vit", Boot);
        await _server.PredictAsync("fashion-vit", Boot);

        Assert.Equal(before + 2, await _server.MetricAsync($"serve_requests_total{{{Labels},code=\"200\"}}"));
        foreach (var stage in (string[])["read", "queue", "transfer", "decode_wait", "decode", "assemble", "execute", "encode", "write"])
        {
            Assert.True(await _server.MetricAsync($"serve_stage_duration_seconds_count{{{Labels},stage=\"{stage}\"}}") >= 2, stage);
        }

        Assert.True(await _server.MetricAsync($"serve_batch_size_count{{{Labels}}}") >= 1);
        Assert.Equal(0, await _server.MetricAsync($"serve_requests_in_flight{{{Labels}}}"));
    }

    private static async Task SendChunksAsync(NetworkStream stream, int total)
    {
        var chunk = new byte[1 << 20];
        for (var sent = 0; sent < total; sent += chunk.Length)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{chunk.Length:x}\r\n"));
            await stream.WriteAsync(chunk);
            await stream.WriteAsync("\r\n"u8.ToArray());
        }

        await stream.WriteAsync("0\r\n\r\n"u8.ToArray());
    }

    private static async Task<string> ReadAnswerAsync(StreamReader reader)
    {
        var text = new StringBuilder();
        while (await reader.ReadLineAsync() is { } line)
        {
            text.AppendLine(line);
            if (line == "}") break;
        }

        return text.ToString();
    }

    /// <summary>Announces a body and sends half of it.</summary>
    private sealed class StallingContent : HttpContent
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Begun => _begun.Task;

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.WriteAsync(new byte[1000], cancellationToken);
            await stream.FlushAsync(cancellationToken);
            _begun.TrySetResult();

            // The rest never comes: only the client's leaving ends it.
            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 2000;
            return true;
        }
    }
}
