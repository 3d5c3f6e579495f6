using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Serve.Tests.Worker;

namespace Serve.Tests.EndToEnd;

/// <summary>Clients that send nothing, too much, nonsense, or very slowly.</summary>
public sealed class HostileClientTests : IClassFixture<ServerFixture>, IAsyncLifetime
{
    private readonly ServerFixture _server;

    public HostileClientTests(ServerFixture server, ITestOutputHelper output)
    {
        _server = server;
        server.ShowLogs(output);
    }

    // Once for the class: a model's second registration is a conflict.
    public async ValueTask InitializeAsync()
    {
        if ((await _server.ManageAsync(HttpMethod.Get, "/models/echo")).Status == HttpStatusCode.OK) return;
        await _server.ServeAsync("echo", "EchoHandler", "batchSize: 4");
        await _server.ServeAsync("headers", "HeaderEchoHandler", "batchSize: 4");
    }

    /// <summary>Whatever a test did to it, the server still tells a boot from a bag.</summary>
    public async ValueTask DisposeAsync()
    {
        var answer = await _server.PredictAsync("fashion-vit", File.ReadAllBytes(Path.Combine(Repository.Root, "docs", "samples", "boot.png")));
        Assert.Equal("Ankle boot", answer.Json.EnumerateObject().First().Name);
    }

    [Fact]
    public async Task An_empty_body_is_a_400_for_pictures_and_an_empty_answer_for_an_echo()
    {
        var picture = await _server.PredictAsync("fashion-vit", []);
        Assert.Equal((HttpStatusCode.BadRequest, "BadRequestException"), (picture.Status, picture.Error.Type));
        Assert.Contains("empty", picture.Error.Message, StringComparison.OrdinalIgnoreCase);
        var echo = await _server.PredictAsync("echo", []);
        Assert.Equal((HttpStatusCode.OK, 0), (echo.Status, echo.Body.Length));
    }

    [Fact]
    public async Task Fifty_megabytes_come_back_unchanged_and_are_no_picture()
    {
        var body = new byte[50_000_000];
        new Random(7).NextBytes(body);
        var echo = await _server.PredictAsync("echo", body);
        Assert.Equal(HttpStatusCode.OK, echo.Status);
        Assert.True(echo.Body.AsSpan().SequenceEqual(body));

        var picture = await _server.PredictAsync("fashion-vit", body);
        Assert.Equal((HttpStatusCode.BadRequest, "BadRequestException"), (picture.Status, picture.Error.Type));
    }

    [Fact]
    public async Task Every_part_of_a_form_arrives_under_its_name()
    {
        using var form = new MultipartFormDataContent
        {
            { new ByteArrayContent([0, 13, 10, 45, 45]) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } }, "data", "a.png" },
            { new StringContent("a prompt"), "text" },
            { new ByteArrayContent([]), "nothing" },
        };
        var answer = await _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, _server.Inference + "/predictions/headers") { Content = form });

        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.Equal("yes", answer.Headers["X-Echo"]);
        var parts = answer.Json.GetProperty("parts").EnumerateArray().Select(part => (part.GetProperty("name").GetString(), part.GetProperty("data").GetBytesFromBase64())).ToList();
        Assert.Equal(["data", "text", "nothing"], parts.Select(part => part.Item1));
        Assert.Equal([0, 13, 10, 45, 45], parts[0].Item2);
        Assert.Equal("a prompt"u8, parts[1].Item2);
        Assert.Empty(parts[2].Item2);
    }

    [Theory]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/octet-stream; charset=nonsense")]
    [InlineData("image/jpeg")]
    [InlineData("nonsense")]
    [InlineData("")]
    public async Task A_wrong_content_type_does_not_hide_a_picture(string contentType)
    {
        using var content = new ByteArrayContent(FashionData.Picture(0));
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        var answer = await _server.SendAsync(new HttpRequestMessage(HttpMethod.Post, _server.Inference + "/predictions/fashion-vit") { Content = content });
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
    }

    [Theory]
    [InlineData("\0\0\0\0\r\n\r\n", "400")]
    [InlineData("GET / HTTP/9.9\r\n\r\n", "505")]
    [InlineData("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400")]
    [InlineData("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "400")]
    [InlineData("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400")]
    [InlineData("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", "400")]
    [InlineData("POST /predictions/echo HTTP/1.1\r\n\r\n", "400")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "")]
    [InlineData("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", "400")]
    public async Task What_is_no_HTTP_is_refused(string bytes, string status)
    {
        using var client = await ConnectAsync();
        await client.SendAsync(Encoding.Latin1.GetBytes(bytes));
        var text = await client.ReadToEndAsync();
        if (status.Length > 0) Assert.StartsWith($"HTTP/1.1 {status} ", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\0\0\0\0", "")]
    [InlineData("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", "")]
    [InlineData("hello", "")]
    [InlineData("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request")]
    [InlineData("PRI * HTTP/1.1\r\n", "HTTP/1.1 400 Bad Request")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthese are no frames", "")]
    public async Task What_is_no_HTTP_2_does_not_hold_a_connection_to_a_gRPC_listener(string bytes, string answer)
    {
        foreach (var listener in (string[])[_server.GrpcInference, _server.GrpcManagement])
        {
            using var client = await RawClient.ConnectAsync(listener);
            await client.SendAsync(Encoding.Latin1.GetBytes(bytes));
            Assert.StartsWith(answer, await client.ReadToEndAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_header_without_end_is_refused()
    {
        using var client = await ConnectAsync();
        await client.SendAsync(Encoding.ASCII.GetBytes($"GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: {new string('x', 100_000)}"));
        Assert.StartsWith("HTTP/1.1 431 ", await client.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_closes_after_its_headers_leaves_nothing_behind()
    {
        for (var i = 0; i < 50; i++)
        {
            using var client = await ConnectAsync();
            await client.SendAsync("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nbegin"u8.ToArray());
        }

        await Eventually.BecomesAsync("all have left", () => _server.MetricAsync("serve_requests_total{model=\"echo\",version=\"1.0\",code=\"499\"}"), count => count >= 50);
        Assert.Equal(0, await _server.MetricAsync("serve_requests_in_flight{model=\"echo\",version=\"1.0\"}"));
    }

    [Fact]
    public async Task Unknown_names_make_no_series()
    {
        await _server.PredictAsync("unknown", []);
        var before = (await _server.ScrapeAsync()).Split('\n').Length;
        await Parallel.ForAsync(0, 10_000, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
        {
            var answer = await _server.GetAsync((i % 3) switch { 0 => $"/predictions/unknown-{i}", 1 => $"/predictions/echo/{i}.9", _ => $"/nowhere/{i}" });
            if (answer.Status != HttpStatusCode.NotFound) Assert.Fail(answer.Text);
        });
        Assert.Equal(before, (await _server.ScrapeAsync()).Split('\n').Length);
    }

    private Task<Socket> ConnectAsync() => RawClient.ConnectAsync(_server.Inference);
}
