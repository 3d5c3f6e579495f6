using System.Net;
using Serve.Core.Models;

namespace Serve.Tests.EndToEnd;

/// <summary>Workers that are killed, stopped, stuck or poisoned: clients must not notice.</summary>
public sealed class WorkerDeathTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;
    private readonly ITestOutputHelper _output;

    public WorkerDeathTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
        _output = output;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Killing_workers_under_load_fails_no_request(int workers)
    {
        var model = $"killed-{workers}";
        await _server.ServeAsync(model, "EchoHandler", "batchSize: 8\nmaxQueueSize: 1000", workers);
        await using var clients = new EchoClients(_server, model, count: 16);

        for (var kills = 0; kills < 4; kills++)
        {
            await clients.AnswerAsync(100);
            var before = await _server.WorkerPidsAsync(model);
            Signals.Kill(before[kills % before.Count]);
            await ReplacedAsync(_server, model, before[kills % before.Count], workers);
        }

        await clients.AnswerAsync(100);
        var answered = await clients.StopAsync();
        var labels = $"model=\"{model}\",version=\"1.0\"";
        Assert.Equal(answered, await _server.MetricAsync($"serve_requests_total{{{labels},code=\"200\"}}"));
        Assert.Equal(4, await _server.MetricAsync($"serve_worker_deaths_total{{{labels},reason=\"exited\"}}"));
        Assert.Equal(0, await _server.MetricAsync($"serve_requests_in_flight{{{labels}}}"));
    }

    [Fact]
    public async Task A_worker_killed_while_it_loads_is_replaced()
    {
        using var gates = new Gates();
        HandlerModels.Write(_server.ModelStore, "slow-to-load", "SlowToLoadHandler", gates.Setting);
        var registered = _server.RegisterAsync("slow-to-load");
        await gates.NextAsync();
        var pid = (await _server.DescribeAsync("slow-to-load")).Workers.Single().Pid!.Value;

        Signals.Kill(pid);
        (await gates.NextAsync()).Open();

        var answer = await registered;
        Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
        Assert.NotEqual(pid, (await _server.WorkerPidsAsync("slow-to-load")).Single());
        Assert.Equal("here", (await _server.PredictAsync("slow-to-load", "here"u8.ToArray())).Text);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 2)]
    public async Task A_request_that_kills_workers_fails_alone(int workers, int poisons)
    {
        var model = $"poisoned-{workers}-{poisons}";
        await _server.ServeAsync(model, "PoisonHandler", "batchSize: 8\nmaxQueueSize: 1000", workers);
        await using var clients = new EchoClients(_server, model, count: 12);
        await clients.AnswerAsync(50);

        var poisoned = await Task.WhenAll(Enumerable.Range(0, poisons).Select(_ => _server.PredictAsync(model, "die"u8.ToArray())));

        Assert.All(poisoned, answer =>
        {
            Assert.Equal(HttpStatusCode.InternalServerError, answer.Status);
            Assert.Contains("Worker died. This request, run alone, ended", answer.Error.Message, StringComparison.Ordinal);
            Assert.Contains("It is not tried again.", answer.Error.Message, StringComparison.Ordinal);
        });
        await clients.AnswerAsync(50);
        await clients.StopAsync();
        Assert.Equal(ModelState.Ready, (await _server.DescribeAsync(model)).State);
    }

    [Fact]
    public async Task A_stopped_worker_is_replaced_and_stalls_nobody_else()
    {
        await using var server = await HandlerServer.StartAsync(_output, "--heartbeat-interval", "200ms", "--heartbeat-timeout", "2s");
        await server.ServeAsync("stopped", "EchoHandler", "batchSize: 4\nmaxQueueSize: 1000", workers: 2);
        await server.ServeAsync("neighbour", "EchoHandler");
        await using var clients = new EchoClients(server, "stopped", count: 24, bodyBytes: 600_000);
        await clients.AnswerAsync(24);

        var pid = (await server.WorkerPidsAsync("stopped"))[0];
        Signals.Stop(pid);
        var noticed = server.WaitForLogAsync(line => line.Contains($"(pid {pid}) has shown no sign of life for ", StringComparison.Ordinal));
        while (!noticed.IsCompleted)
        {
            Assert.Equal(HttpStatusCode.OK, (await server.GetAsync("/ping")).Status);
            Assert.Equal("hello", (await server.PredictAsync("neighbour", "hello"u8.ToArray())).Text);

            // And on a connection of its own.
            using var fresh = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            Assert.True((await fresh.GetAsync(server.Inference + "/ping")).IsSuccessStatusCode);
        }

        await ReplacedAsync(server, "stopped", pid, 2);
        await server.WaitForLogAsync(line => line.Contains("it showed no sign of life for 2 s (heartbeatTimeout) and was killed", StringComparison.Ordinal));
        await clients.AnswerAsync(24);
        await clients.StopAsync();
        Assert.False(Processes.IsAlive(pid));
    }

    [Fact]
    public async Task A_stuck_worker_is_replaced_and_only_what_it_held_is_late()
    {
        await _server.ServeAsync("stuck", "StuckHandler", "batchSize: 4\nmaxQueueSize: 1000\nresponseTimeout: 1500ms", workers: 1);
        var before = (await _server.WorkerPidsAsync("stuck")).Single();

        var stuck = _server.PredictAsync("stuck", "stuck"u8.ToArray());
        await _server.WaitForLogAsync(line => line.Contains("Stuck for ever.", StringComparison.Ordinal));

        var answer = await stuck;
        Assert.Equal((HttpStatusCode.GatewayTimeout, "ResponseTimeoutException"), (answer.Status, answer.Error.Type));
        Assert.Contains("1.5 s (responseTimeout)", answer.Error.Message, StringComparison.Ordinal);
        await ReplacedAsync(_server, "stuck", before, 1);
        Assert.Equal("fine", (await _server.PredictAsync("stuck", "fine"u8.ToArray())).Text);
        await _server.WaitForLogAsync(line => line.Contains($"(pid {before}) has held a batch for ", StringComparison.Ordinal));
    }

    private static Task<IReadOnlyList<int>> ReplacedAsync(ServerFixture server, string model, int pid, int workers) =>
        Eventually.BecomesAsync($"{model} has {workers} workers without {pid}", () => server.WorkerPidsAsync(model), pids => pids.Count == workers && !pids.Contains(pid));
}
