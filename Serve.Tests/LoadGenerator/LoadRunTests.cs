using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Serve.LoadGenerator.Http;
using Serve.LoadGenerator.Load;
using Serve.LoadGenerator.Measurement;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.LoadGenerator;

/// <summary>The load against servers that behave in their own ways.</summary>
public sealed class LoadRunTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Theory]
    [InlineData(Ok)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.0 200 OK\r\n\r\nok")]
    public async Task Answers_of_every_form_are_counted(string answer)
    {
        using var server = new ScriptedServer(_ => answer, closes: answer.Contains("close", StringComparison.Ordinal) || answer.Contains("HTTP/1.0", StringComparison.Ordinal));
        var window = await UntilAsync(server.EndPoint, 2, seen => seen.Answers >= 20);
        Assert.Empty(window.ErrorsByKind());
    }

    [Fact]
    public async Task Refusals_are_errors_with_their_status_and_words()
    {
        using var server = new ScriptedServer(number => number % 2 == 0 ? Ok : "HTTP/1.1 503 Busy\r\nContent-Length: 7\r\n\r\nno room");
        var window = await UntilAsync(server.EndPoint, 2, seen => seen.Answers >= 5 && seen.Errors >= 5);
        Assert.Equal("503", window.ErrorsByKind().Single().Key);
        Assert.Equal("503: no room", window.FirstError);
    }

    [Theory]
    [InlineData("", "connection closed")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "connection closed")]
    [InlineData("hello\r\n\r\n", "malformed response")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "malformed response")]
    public async Task Bad_servers_are_errors_and_the_load_goes_on(string answer, string kind)
    {
        using var server = new ScriptedServer(_ => answer, closes: true);
        var window = await UntilAsync(server.EndPoint, 1, seen => seen.Errors >= 2);
        Assert.Equal(kind, window.ErrorsByKind().Single().Key);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_a_timeout()
    {
        using var server = new ScriptedServer(_ => null);
        var window = await UntilAsync(server.EndPoint, 1, seen => seen.Errors >= 2, options => options with { Timeout = TimeSpan.FromMilliseconds(30) });
        Assert.Equal("timeout", window.ErrorsByKind().Single().Key);
    }

    [Fact]
    public async Task Nobody_at_the_address_is_a_refused_connection()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var window = await UntilAsync((IPEndPoint)taken.LocalEndPoint!, 1, seen => seen.Errors >= 1);
        Assert.Equal("connection refused", window.ErrorsByKind().Single().Key);
    }

    [Fact]
    public async Task An_open_loop_sends_on_while_nothing_is_answered_and_counts_the_wait()
    {
        // Nothing is answered until 20 requests have come: a closed loop of any size below would stand still.
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var server = new ScriptedServer(number =>
        {
            if (number == 20) gate.SetResult();
            gate.Task.Wait(TimeSpan.FromSeconds(60));
            return Ok;
        });
        var options = Options(server.EndPoint) with { ArrivalsPerSecond = 1000, Seed = 3 };
        var window = await UntilAsync(options, seen => seen.Answers >= 40);
        Assert.Empty(window.ErrorsByKind());

        // The first of them waited for the twentieth's arrival.
        Assert.True(window.Latency.Max >= TimeSpan.FromMilliseconds(10));
        Assert.True(window.SendDelay.Count >= 40);
    }

    [Fact]
    public async Task Requests_that_find_no_connection_wait_and_their_wait_is_part_of_the_latency()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var server = new ScriptedServer(_ =>
        {
            gate.Task.Wait(TimeSpan.FromSeconds(60));
            return Ok;
        });
        using var run = new LoadRun(Options(server.EndPoint) with { ArrivalsPerSecond = 2000, MostConnections = 1 });
        run.Start();
        await Eventually.HoldsAsync("ten wait", () => run.TakeWindow().Backlog >= 10);
        gate.SetResult();
        var answered = new LoadWindow(1);
        await Eventually.HoldsAsync("they are answered", () =>
        {
            answered.Add(run.TakeWindow());
            return answered.Answers >= 10;
        });
        Assert.True(answered.SendDelay.Max > TimeSpan.FromMilliseconds(1));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1000, 1)]
    [InlineData(1000, 2)]
    public async Task Requests_without_an_answer_are_counted_for_as_long_as_they_wait(double arrivalsPerSecond, int threads)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var server = new ScriptedServer(_ =>
        {
            gate.Task.Wait(TimeSpan.FromSeconds(60));
            return Ok;
        });

        // In the open loop one is sent by each thread, the others wait for its connection.
        using var run = new LoadRun(Options(server.EndPoint) with { Clients = arrivalsPerSecond > 0 ? 0 : 10, ArrivalsPerSecond = arrivalsPerSecond, MostConnections = threads, Threads = threads });
        run.Start();
        await Eventually.HoldsAsync("ten wait", () => run.Unanswered() is { Count: >= 10 } ages && ages.Max > TimeSpan.FromMilliseconds(10));
        if (arrivalsPerSecond == 0) Assert.Equal(10, run.Unanswered().Count);

        gate.SetResult();
        run.Pause();
        Assert.Equal(0, run.Unanswered().Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2000)]
    public async Task A_load_that_pauses_has_all_its_answers_and_goes_on_with_the_same_connections(double arrivalsPerSecond)
    {
        var requests = 0;
        using var server = new ScriptedServer(_ =>
        {
            Interlocked.Increment(ref requests);
            return Ok;
        });
        var options = Options(server.EndPoint) with { Clients = arrivalsPerSecond > 0 ? 0 : 4, ArrivalsPerSecond = arrivalsPerSecond, MostConnections = 4 };
        using var run = new LoadRun(options);
        Assert.Throws<InvalidOperationException>(() => run.Pause());
        long answers = 0;
        for (var stretch = 0; stretch < 3; stretch++)
        {
            run.Start();
            Assert.Throws<InvalidOperationException>(run.Start);
            var sent = Volatile.Read(ref requests);
            await Eventually.HoldsAsync("some are sent", () => Volatile.Read(ref requests) >= sent + 20);
            var seen = run.Pause();
            answers += seen.Answers;
            Assert.Empty(seen.ErrorsByKind());

            // Nothing is under way: all that was asked has been answered.
            Assert.Equal(Volatile.Read(ref requests), answers);
            Assert.Equal(0, run.TakeWindow().Answers);
        }

        Assert.True(server.Connections <= 4);
    }

    [Fact]
    public async Task A_connection_that_the_server_closes_during_a_pause_is_made_again_without_an_error()
    {
        using var server = new ScriptedServer(_ => Ok);
        using var run = new LoadRun(Options(server.EndPoint) with { Clients = 3 });
        run.Start();
        await Eventually.HoldsAsync("all are connected", () => server.Connections == 3);
        run.Pause();
        server.CloseAll();
        run.Start();
        await Eventually.HoldsAsync("they are connected again", () => server.Connections == 6);
        Assert.Empty(run.Pause().ErrorsByKind());
    }

    [Fact]
    public async Task Threads_share_clients_and_targets_are_told_apart()
    {
        using var server = new ScriptedServer(_ => Ok);
        var options = Options(server.EndPoint) with
        {
            Clients = 3,
            Threads = 2,
            Objective = TimeSpan.FromMinutes(1),
            Targets = [new LoadTarget("a", [Request("/a")], 3), new LoadTarget("b", [Request("/b")])],
        };
        var window = await UntilAsync(options, seen => seen.LatencyByTarget[1].Count >= 10);
        Assert.Equal(window.Answers, window.LatencyByTarget.Sum(target => target.Count));
        Assert.True(window.LatencyByTarget[0].Count >= 2 * window.LatencyByTarget[1].Count);
        Assert.Equal(window.Answers, window.WithinObjective);
    }

    [Fact]
    public void A_request_is_what_http_wants()
    {
        var text = Encoding.UTF8.GetString(RequestBytes.Post(new Uri("http://h:1/a%20b?c=d"), "image/png", [65], [new("X-A", "1")]));
        Assert.Equal("POST /a%20b?c=d HTTP/1.1\r\nHost: h:1\r\nContent-Type: image/png\r\nX-A: 1\r\nContent-Length: 1\r\n\r\nA", text);
        Assert.Throws<ArgumentException>(() => RequestBytes.Post(new Uri("http://h:1/"), "a", [], [new("X", "1\r\nY: 2")]));
        Assert.Throws<ArgumentException>(() => RequestBytes.Post(new Uri("http://h:1/"), "a", [], [new("X Y", "1")]));
    }

    [Fact]
    public void A_header_that_is_given_goes_before_the_one_that_is_sent_anyway()
    {
        var text = Encoding.UTF8.GetString(RequestBytes.Post(new Uri("http://h:1/"), "image/png", [65], [new("content-type", "application/json"), new("HOST", "other")]));
        Assert.Equal("POST / HTTP/1.1\r\ncontent-type: application/json\r\nHOST: other\r\nContent-Length: 1\r\n\r\nA", text);
        foreach (var framing in (string[])["content-length", "Transfer-Encoding"]) Assert.Throws<ArgumentException>(() => RequestBytes.Post(new Uri("http://h:1/"), "a", [], [new(framing, "2")]));
    }

    private static ReadOnlyMemory<byte> Request(string path) => RequestBytes.Post(new Uri("http://127.0.0.1" + path), "text/plain", "body"u8);

    private static LoadOptions Options(EndPoint server) => new() { Server = server, Targets = [new LoadTarget("t", [Request("/")])], Timeout = TimeSpan.FromSeconds(60) };

    private static Task<LoadWindow> UntilAsync(EndPoint server, int clients, Func<LoadWindow, bool> isEnough, Func<LoadOptions, LoadOptions>? change = null)
    {
        var options = Options(server) with { Clients = clients };
        return UntilAsync(change is null ? options : change(options), isEnough);
    }

    private static async Task<LoadWindow> UntilAsync(LoadOptions options, Func<LoadWindow, bool> isEnough)
    {
        using var run = new LoadRun(options);
        run.Start();
        var seen = new LoadWindow(options.Targets.Count);
        await Eventually.HoldsAsync("enough was seen", () =>
        {
            seen.Add(run.TakeWindow());
            return isEnough(seen);
        });
        return seen;
    }

    /// <summary>Answers the n-th request with what the script says for n; nothing for null.</summary>
    private sealed class ScriptedServer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly ConcurrentBag<TcpClient> _clients = [];
        private readonly Func<int, string?> _answer;
        private readonly bool _closes;
        private int _requests;

        public ScriptedServer(Func<int, string?> answer, bool closes = false)
        {
            (_answer, _closes) = (answer, closes);
            _listener.Start();
            new Thread(Accept) { IsBackground = true }.Start();
        }

        public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

        /// <summary>How many there have been.</summary>
        public int Connections => _clients.Count;

        public void CloseAll()
        {
            foreach (var client in _clients) client.Client.Shutdown(SocketShutdown.Both);
        }

        public void Dispose()
        {
            _listener.Stop();
            foreach (var client in _clients) client.Dispose();
        }

        private void Accept()
        {
            try
            {
                while (true)
                {
                    var client = _listener.AcceptTcpClient();
                    _clients.Add(client);
                    new Thread(() => Serve(client)) { IsBackground = true }.Start();
                }
            }
            catch (Exception e) when (e is SocketException or InvalidOperationException)
            {
                // The test is over.
            }
        }

        private void Serve(TcpClient client)
        {
            try
            {
                var (stream, socket) = (client.GetStream(), client.Client); // null once the client is disposed of
                var buffer = new byte[4096];
                var text = "";
                while (true)
                {
                    var count = stream.Read(buffer);
                    if (count == 0) return;
                    text += Encoding.ASCII.GetString(buffer, 0, count);
                    if (!text.EndsWith("body", StringComparison.Ordinal)) continue;
                    text = "";
                    if (_answer(Interlocked.Increment(ref _requests)) is not { } answer) continue;
                    stream.Write(Encoding.ASCII.GetBytes(answer));
                    if (!_closes) continue;
                    socket.Shutdown(SocketShutdown.Send);
                    return;
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException)
            {
                // The load has closed the connection, or the test is over.
            }
        }
    }
}
