using System.Net;
using System.Net.Sockets;
using System.Text;
using Serve.Frontend.Commands;
using Serve.Frontend.Commands.Top;

namespace Serve.Tests.Frontend.Commands;

/// <summary>What commands say when something answers that is no server of Serve's: a proxy, or another program on the port.</summary>
public sealed class ServerClientTests : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public ServerClientTests() => _listener.Start();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Address => $"http://{_listener.LocalEndpoint}";

    public void Dispose() => _listener.Dispose();

    [Theory]
    [InlineData("text/html", "\n<!doctype html>\n<title>It works</title>", "its answer begins with <!doctype html>.")]
    [InlineData("application/json", "[1]", "its answer begins with [1].")]
    [InlineData("application/json", "{}", "its answer begins with {}.")]
    [InlineData("text/plain", "", "its answer is empty.")]
    public async Task Another_programs_answer_is_told_and_no_crash(string type, string body, string why)
    {
        var answering = AnswerAsync(type, body, times: 3);
        using var client = new ServerClient(Address, Address, ClientCredentials.None);
        foreach (var ask in (Func<Task>[])[() => client.PingAsync(Cancellation), () => client.ListNamesAsync(Cancellation), () => client.DescribeAsync("m", null, Cancellation)])
        {
            var error = await Assert.ThrowsAsync<CommandException>(ask);
            Assert.Equal(ExitCode.Unreachable, error.ExitCode);
            Assert.StartsWith($"Something that is not Serve answers at {Address}: {why}", error.Message, StringComparison.Ordinal);
        }

        await answering;
    }

    [Theory]
    [InlineData("text/html", "data: x\n\n", "its answer is text/html.")]
    [InlineData("text/event-stream", "data: x\n\n", "its answer begins with x.")]
    public async Task Another_programs_events_are_no_overviews(string type, string body, string why)
    {
        var answering = AnswerAsync(type, body, times: 1);
        using var client = new ServerClient(Address, Address, ClientCredentials.None);
        var error = await Assert.ThrowsAsync<CommandException>(async () =>
        {
            await foreach (var _ in new OverviewReader(client, static _ => { }).ReadAsync(Cancellation))
            {
            }
        });
        Assert.StartsWith($"Something that is not Serve answers at {Address}: {why}", error.Message, StringComparison.Ordinal);
        await answering;
    }

    private async Task AnswerAsync(string type, string body, int times)
    {
        for (var i = 0; i < times; i++)
        {
            using var connection = await _listener.AcceptSocketAsync(Cancellation);
            var asked = new byte[4096];
            var length = 0;
            while (asked.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0) length += await connection.ReceiveAsync(asked.AsMemory(length), Cancellation);
            await connection.SendAsync(Encoding.UTF8.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"), Cancellation);
            connection.Shutdown(SocketShutdown.Both);
        }
    }
}
