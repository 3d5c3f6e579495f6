using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>The end as an orchestrator brings it about: SIGTERM while clients do all that they may.</summary>
public sealed class GracefulEndTests(ITestOutputHelper output)
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(2);

    // Beyond drainTimeout: the last answers (2 s) and the workers' end. What the chart and the unit add is longer.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Accepted_requests_are_finished_new_ones_refused_and_nobody_holds_it_up()
    {
        using var gates = new Gates();
        using var steps = new Steps();
        using var manager = new ServiceManagerSocket();
        await using var server = await ServerFixture.StartAsync(new ServerOptions { Models = [], Flags = ["--load-models", "none", "--drain-timeout", $"{DrainTimeout.TotalSeconds}s"], Environment = new Dictionary<string, string> { ["NOTIFY_SOCKET"] = manager.Path } }, output);
        Assert.Equal("READY=1", await manager.NextAsync());
        HandlerModels.Write(server.ModelStore, "gated", "GatedHandler", gates.Setting);
        var registered = server.RegisterAsync("gated");
        var gate = await gates.NextAsync();
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        var handler = await steps.ServeAsync(server, "stream");

        // One is being executed, one stops in the middle of its body, one has begun to be answered and goes no further, and one
        // connection is between two requests.
        var accepted = server.PredictAsync("gated", [7]);
        await gate.BatchAsync();
        using var half = await RawClient.ConnectAsync(server.Inference);
        await half.SendAsync("POST /predictions/gated HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"u8.ToArray(), Cancellation);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{server.Inference}/predictions/stream") { Content = new StringContent("a") };
        var streaming = server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await handler.ExpectAsync("begin a");
        await handler.PartAsync("a", "one");
        using var endless = await streaming;
        using var idle = await RawClient.ConnectAsync(server.Inference);
        Assert.StartsWith("HTTP/1.1 200", await AskAsync(idle, "/readyz"), StringComparison.Ordinal);

        var began = TimeProvider.System.GetTimestamp();
        var stopped = server.StopAsync();
        await server.WaitForLogAsync(line => line.Contains("Stopping: new requests are refused", StringComparison.Ordinal));
        Assert.Equal("STOPPING=1", await manager.NextAsync());

        // No balancer sends anything any more; it is alive all the same, so that nobody kills it early.
        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), ((await server.GetAsync("/readyz")).Status, (await server.GetAsync("/livez")).Status));
        var late = await AskAsync(idle, "/predictions/gated");
        Assert.StartsWith("HTTP/1.1 503", late, StringComparison.Ordinal);
        Assert.Contains("Retry-After:", late, StringComparison.OrdinalIgnoreCase);

        gate.Open();
        Assert.Equal((HttpStatusCode.OK, (byte)7), ((await accepted).Status, (await accepted).Body.Single()));
        Assert.Equal(0, await stopped);
        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, DrainTimeout + Rest);
    }

    // Until the head of the answer is there.
    private static async Task<string> AskAsync(Socket client, string path)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await client.SendAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"), patience.Token);
        var answer = new byte[4096];
        return Encoding.ASCII.GetString(answer, 0, await client.ReceiveAsync(answer, patience.Token));
    }

    /// <summary>Where systemd hears what a service says of itself.</summary>
    private sealed class ServiceManagerSocket : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

        public ServiceManagerSocket() => _socket.Bind(new UnixDomainSocketEndPoint(Path));

        public string Path => _folder["notify"];

        public async Task<string> NextAsync()
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            var message = new byte[256];
            return Encoding.UTF8.GetString(message, 0, await _socket.ReceiveAsync(message, patience.Token));
        }

        public void Dispose()
        {
            _socket.Dispose();
            _folder.Dispose();
        }
    }
}
