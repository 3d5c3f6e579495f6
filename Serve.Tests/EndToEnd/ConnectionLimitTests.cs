using System.Net.Sockets;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>What the configuration allows a client to take: connections, headers, time.</summary>
public sealed class ConnectionLimitTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_client_that_takes_too_much_or_too_long_is_cut_off()
    {
        await using var server = await HandlerServer.StartAsync(output,
            "--max-headers", "20", "--max-headers-size", "2KiB", "--headers-timeout", "1s", "--keep-alive-timeout", "1s",
            "--min-request-rate", "1MiB", "--min-response-rate", "1MiB", "--rate-grace-period", "2s");
        await server.ServeAsync("echo", "EchoHandler");

        await Task.WhenAll(
            IsAnsweredAsync(server.Inference, "GET /ping HTTP/1.1\r\nHost: x\r\n" + string.Concat(Enumerable.Range(0, 25).Select(i => $"x-{i}: 1\r\n")) + "\r\n", "HTTP/1.1 431 "),
            IsAnsweredAsync(server.Inference, $"GET /ping HTTP/1.1\r\nHost: x\r\nx-long: {new string('x', 3000)}\r\n\r\n", "HTTP/1.1 431 "),
            IsAnsweredAsync(server.Inference, "GET /ping HTTP/1.1\r\nHost: x\r\nx-slow: ", "HTTP/1.1 408 "),
            IsAnsweredAsync(server.Inference, "", ""),
            IsAnsweredAsync(server.GrpcInference, "", ""),
            IsAnsweredAsync(server.GrpcInference, "PRI * HTT", ""),
            IsAnsweredAsync(server.Inference, "POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\nslow", "HTTP/1.1 408 "),
            ASlowReaderIsLeftAsync(server));
    }

    [Fact]
    public async Task A_connection_too_many_is_closed_and_the_others_go_on()
    {
        await using var server = await HandlerServer.StartAsync(output, "--max-connections", "2");
        using var first = await RawClient.ConnectAsync(server.Inference);
        using var second = await RawClient.ConnectAsync(server.Inference);
        await PingAsync(first);
        await PingAsync(second);
        using (var third = await RawClient.ConnectAsync(server.Inference)) Assert.Equal("", await third.ReadToEndAsync());

        await PingAsync(first);
        second.Dispose();
        await Eventually.BecomesAsync("there is room for another", async () =>
        {
            using var next = await RawClient.ConnectAsync(server.Inference);
            await next.SendAsync("GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray());
            return await next.ReadToEndAsync();
        }, text => text.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal));
    }

    private static async Task PingAsync(Socket client)
    {
        await client.SendAsync("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
        var answer = new byte[4096];
        Assert.StartsWith("HTTP/1.1 200 ", Encoding.ASCII.GetString(answer, 0, await client.ReceiveAsync(answer)), StringComparison.Ordinal);
    }

    private static async Task IsAnsweredAsync(string listener, string bytes, string answer)
    {
        using var client = await RawClient.ConnectAsync(listener);
        await client.SendAsync(Encoding.ASCII.GetBytes(bytes));
        Assert.StartsWith(answer, await client.ReadToEndAsync(), StringComparison.Ordinal);
    }

    private static async Task ASlowReaderIsLeftAsync(ServerFixture server)
    {
        const string InFlight = "serve_requests_in_flight{model=\"echo\",version=\"1.0\"}";
        const string Answered = "serve_requests_total{model=\"echo\",version=\"1.0\",code=\"499\"}";
        const int Bytes = 20_000_000;
        using var client = await RawClient.ConnectAsync(server.Inference);
        client.ReceiveBufferSize = 16 << 10;
        await client.SendAsync(Encoding.ASCII.GetBytes($"POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {Bytes}\r\n\r\n"));
        await client.SendAsync(new byte[Bytes]);

        // It reads nothing, and is yet done with.
        await Eventually.BecomesAsync("the answer is given up", () => server.MetricAsync(Answered), count => count >= 1);
        await Eventually.BecomesAsync("nothing is left of it", () => server.MetricAsync(InFlight), count => count == 0);
    }
}
