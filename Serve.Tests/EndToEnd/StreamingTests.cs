using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>Answers in parts over REST: when parts arrive, how streams end, and who is told.</summary>
[Collection(nameof(SteppedServer))]
public sealed class StreamingTests : IDisposable
{
    private const string Shared = SteppedServer.Model;

    private readonly ServerFixture _server;
    private readonly Steps.Worker _handler;
    private readonly Steps _own = new();

    public StreamingTests(SteppedServer server, ITestOutputHelper output)
    {
        (_server, _handler) = (server.Server, server.Handler);
        _server.ShowLogs(output);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _own.Dispose();

    [Fact]
    public async Task Each_part_reaches_the_client_before_the_next_one_is_made()
    {
        var before = await CountsAsync();
        var begun = SendAsync(Shared, "a");
        await _handler.ExpectAsync("begin a");

        await _handler.PartAsync("a", "one");
        using var response = await begun;
        await using var body = await response.Content.ReadAsStreamAsync(Cancellation);
        Assert.Equal((HttpStatusCode.OK, "text/plain", true, null), (response.StatusCode, response.Content.Headers.ContentType?.ToString(), response.Headers.TransferEncodingChunked, response.Content.Headers.ContentLength));
        Assert.Equal("one", await ReadAsync(body, 3));
        await _handler.PartAsync("a", "two");
        Assert.Equal("two", await ReadAsync(body, 3));
        await _handler.PartAsync("a", "three");
        Assert.Equal("three", await ReadAsync(body, 5));

        await _handler.DoAsync("end a");
        Assert.Equal(0, await body.ReadAsync(new byte[1], Cancellation));
        await Eventually.BecomesAsync("it is counted", CountsAsync, counts => counts == (before.Answers + 1, before.FirstParts + 1, before.Parts + 3, before.Bytes + 11));

        async Task<(double Answers, double FirstParts, double Parts, double Bytes)> CountsAsync() => (
            await MetricAsync("serve_requests_total", Shared, ",code=\"200\""), await MetricAsync("serve_first_part_seconds_count", Shared),
            await MetricAsync("serve_answer_parts_total", Shared), await MetricAsync("serve_response_bytes_total", Shared));
    }

    [Fact]
    public async Task An_answer_of_one_piece_has_a_length_also_where_the_handler_could_stream()
    {
        var begun = SendAsync(Shared, "a");
        await _handler.ExpectAsync("begin a");
        await _handler.DoAsync("end a whole");

        using var response = await begun;
        Assert.Equal((5, null), (response.Content.Headers.ContentLength, response.Headers.TransferEncodingChunked));
        Assert.Equal("whole", await response.Content.ReadAsStringAsync(Cancellation));
    }

    [Fact]
    public async Task Streams_of_one_batch_end_one_by_one_and_free_their_places()
    {
        var handler = await ServeAsync("one-by-one", "batchSize: 2\nbatching: delayed\nmaxBatchDelay: 1h");
        var (a, b) = (SendAsync("one-by-one", "a"), SendAsync("one-by-one", "b"));
        var batch = (await handler.SaysAsync()).Split(' ');
        Assert.Equal(["a", "b", "begin"], batch.Order());
        await handler.PartAsync("a", "1");
        await handler.PartAsync("b", "1");
        await handler.DoAsync("end a 2");

        using var first = await a;
        Assert.Equal("12", await first.Content.ReadAsStringAsync(Cancellation));
        await Eventually.BecomesAsync("one place is free", async () => (await _server.DescribeAsync("one-by-one")).Workers.Single().OutstandingRows, rows => rows == 1);

        await handler.PartAsync("b", "2");
        await handler.DoAsync("end b 3");
        using var second = await b;
        Assert.Equal("123", await second.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(1, await MetricAsync("serve_batch_size_count", "one-by-one"));
    }

    [Fact]
    public async Task A_client_that_leaves_stops_its_own_stream_and_no_other()
    {
        var handler = await ServeAsync("left", "batchSize: 2\nbatching: delayed\nmaxBatchDelay: 1h");
        var (a, b) = (SendAsync("left", "a"), SendAsync("left", "b"));
        await handler.SaysAsync();
        await handler.PartAsync("a", "1");
        await handler.PartAsync("b", "1");

        (await a).Dispose();
        await handler.ExpectAsync("cancelled a");
        await handler.DoAsync("part a 2", " False");
        await Eventually.BecomesAsync("its place is free", async () => (await _server.DescribeAsync("left")).Workers.Single().OutstandingRows, rows => rows == 1);
        await handler.DoAsync("end b 2");
        using var response = await b;
        Assert.Equal("12", await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal((1, 1), (await MetricAsync("serve_cancelled_total", "left"), await MetricAsync("serve_requests_total", "left", ",code=\"499\"")));
        Assert.Equal(0, await MetricAsync("serve_requests_in_flight", "left"));
    }

    [Fact]
    public async Task A_client_that_leaves_before_the_first_part_stops_the_work_too()
    {
        using var leaving = new CancellationTokenSource();
        var request = SendAsync(Shared, "a", leaving.Token);
        await _handler.ExpectAsync("begin a");
        await leaving.CancelAsync();
        await Assert.ThrowsAsync<TaskCanceledException>(() => request);
        await _handler.ExpectAsync("cancelled a");
        await _handler.DoAsync("part a 1", " False");
    }

    [Fact]
    public async Task When_the_worker_dies_a_stream_breaks_off_and_what_has_not_begun_to_answer_runs_elsewhere()
    {
        var handler = await ServeAsync("killed", "batchSize: 2\nbatching: delayed\nmaxBatchDelay: 1h");
        var (a, b) = (SendAsync("killed", "a"), SendAsync("killed", "b"));
        await handler.SaysAsync();
        await handler.PartAsync("a", "1");
        using var broken = await a;
        Signals.Kill((await _server.WorkerPidsAsync("killed")).Single());

        await Assert.ThrowsAsync<HttpRequestException>(() => broken.Content.ReadAsStringAsync(Cancellation));
        var second = await _own.NextAsync();
        await second.ExpectAsync("begin b");
        await second.DoAsync("end b whole");
        using var response = await b;
        Assert.Equal("whole", await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(1, await MetricAsync("serve_requests_total", "killed", ",code=\"500\""));
    }

    [Fact]
    public async Task A_handler_that_fails_half_way_breaks_its_stream_off()
    {
        var begun = SendAsync(Shared, "a");
        await _handler.ExpectAsync("begin a");
        await _handler.PartAsync("a", "1");
        using var response = await begun;
        await _handler.DoAsync("fail a");
        await Assert.ThrowsAsync<HttpRequestException>(() => response.Content.ReadAsStringAsync(Cancellation));
    }

    [Fact]
    public async Task A_clients_deadline_is_for_the_whole_stream()
    {
        using var request = Request(Shared, "a");
        request.Headers.Add("x-serve-timeout-ms", "300");
        var begun = _server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await _handler.ExpectAsync("begin a");
        await _handler.PartAsync("a", "1");
        using var response = await begun;
        await _handler.ExpectAsync("cancelled a");
        await Assert.ThrowsAsync<HttpRequestException>(() => response.Content.ReadAsStringAsync(Cancellation));
        await _handler.DoAsync("end a");
        await Eventually.BecomesAsync("it is counted", () => MetricAsync("serve_expired_total", Shared, ",where=\"running\""), count => count == 1);
    }

    [Fact]
    public async Task A_slow_reader_makes_the_handler_wait_and_gets_everything()
    {
        const int Bytes = 64 << 20;
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 << 10 };
        var address = new Uri(_server.Inference);
        await client.ConnectAsync(address.Host, address.Port, Cancellation);
        await client.SendAsync("POST /predictions/stepped HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"u8.ToArray());
        await _handler.ExpectAsync("begin a");

        _handler.Tell($"flood a {Bytes}");
        var waits = (await _handler.SaysAsync()).Split(' ');
        Assert.Equal(["waits", "a"], waits[..2]);
        Assert.InRange(int.Parse(waits[2], System.Globalization.CultureInfo.InvariantCulture), 0, 16 << 20);

        var received = await ReadToEndAsync(client);
        await _handler.ExpectAsync($"flood a {Bytes} True");
        await _handler.ExpectAsync("end a");
        Assert.InRange(received, Bytes, Bytes + (1 << 20));

        async Task<long> ReadToEndAsync(Socket socket)
        {
            var buffer = new byte[256 << 10];
            long count = 0;
            var isEnded = false;
            while (await socket.ReceiveAsync(buffer, Cancellation) is > 0 and var length)
            {
                count += length;
                if (count < Bytes || isEnded) continue;
                isEnded = true;
                _handler.Tell("end a");
            }

            return count;
        }
    }

    [Fact]
    public async Task A_client_that_takes_nothing_is_left_after_responseTimeout()
    {
        var handler = await ServeAsync("stalled", "responseTimeout: 1s");
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 << 10 };
        var address = new Uri(_server.Inference);
        await client.ConnectAsync(address.Host, address.Port, Cancellation);
        await client.SendAsync("POST /predictions/stalled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"u8.ToArray());
        await handler.ExpectAsync("begin a");
        handler.Tell($"flood a {64 << 20}");
        Assert.StartsWith("waits a ", await handler.SaysAsync(), StringComparison.Ordinal);

        Assert.Equal(["cancelled a", $"flood a {64 << 20} False"], new[] { await handler.SaysAsync(), await handler.SaysAsync() }.Order());
        await Eventually.BecomesAsync("its connection is closed", () => MetricAsync("serve_requests_total", "stalled", ",code=\"504\""), count => count == 1);
        Assert.Equal(0, await MetricAsync("serve_requests_in_flight", "stalled"));
    }

    [Fact]
    public async Task The_stock_handler_repeats()
    {
        var folder = Directory.CreateDirectory(Path.Combine(_server.ModelStore, "repeated", "1.0")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "model-config.yaml"), "handler: repeat\nbatchSize: 4\n", Cancellation);
        var registered = await _server.RegisterAsync("repeated");
        Assert.True(registered.Status == HttpStatusCode.OK, registered.Text);

        var answers = await Task.WhenAll(Enumerable.Range(1, 4).Select(count => _server.PredictAsync("repeated", Encoding.UTF8.GetBytes($$"""{"text": "tick ", "count": {{count}}, "intervalMs": 20}"""))));
        for (var i = 0; i < answers.Length; i++) Assert.Equal(string.Concat(Enumerable.Repeat("tick ", i + 1)), answers[i].Text);
        var refused = await _server.PredictAsync("repeated", """{"text": "tick", "count": 0}"""u8.ToArray());
        Assert.Equal((HttpStatusCode.BadRequest, "\"count\" is 0; it must be 1 to 1000000."), (refused.Status, refused.Error.Message));
    }

    private Task<Steps.Worker> ServeAsync(string model, string settings = "") => _own.ServeAsync(_server, model, settings);

    private Task<HttpResponseMessage> SendAsync(string model, string body, CancellationToken? cancellation = null) =>
        _server.Http.SendAsync(Request(model, body), HttpCompletionOption.ResponseHeadersRead, cancellation ?? Cancellation);

    private HttpRequestMessage Request(string model, string body) => new(HttpMethod.Post, $"{_server.Inference}/predictions/{model}") { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };

    private Task<double> MetricAsync(string name, string model, string label = "") => _server.MetricAsync($"{name}{{model=\"{model}\",version=\"1.0\"{label}}}");

    private static async Task<string> ReadAsync(Stream body, int length)
    {
        var bytes = new byte[length];
        await body.ReadExactlyAsync(bytes, Cancellation);
        return Encoding.UTF8.GetString(bytes);
    }
}
