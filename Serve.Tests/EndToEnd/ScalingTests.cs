using System.Net;
using Serve.Core.Models;

namespace Serve.Tests.EndToEnd;

/// <summary>Workers and versions that come and go while clients send.</summary>
public sealed class ScalingTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;

    public ScalingTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task Scaling_under_load_fails_no_request()
    {
        await _server.ServeAsync("scaled", "EchoHandler", "batchSize: 4\nmaxQueueSize: 1000");
        var isNone = false;
        await using var clients = new EchoClients(_server, "scaled", count: 12, isExcused: answer => Volatile.Read(ref isNone) && answer is { Status: HttpStatusCode.ServiceUnavailable } && answer.Headers.ContainsKey("Retry-After"));
        var first = await ScaledAsync(1);

        await _server.ScaleAsync("scaled", 3);
        var three = await ScaledAsync(3);
        Assert.Contains(first.Single(), three);
        Assert.Equal(3, three.Count(Processes.IsAlive));
        await clients.AnswerAsync(50);

        await _server.ScaleAsync("scaled", 1);
        Assert.Equal(first, await ScaledAsync(1));
        Assert.All(three.Except(first), pid => Assert.False(Processes.IsAlive(pid)));
        await clients.AnswerAsync(50);

        Volatile.Write(ref isNone, true);
        await _server.ScaleAsync("scaled", 0);
        Assert.Empty((await _server.DescribeAsync("scaled")).Workers);
        Assert.All(first, pid => Assert.False(Processes.IsAlive(pid)));
        var refused = await _server.PredictAsync("scaled", [1]);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Contains("has no worker to serve inference request", refused.Error.Message, StringComparison.Ordinal);

        await _server.ScaleAsync("scaled", 2);
        Volatile.Write(ref isNone, false);
        var two = await ScaledAsync(2);
        Assert.Empty(two.Intersect(three));
        await clients.AnswerAsync(50);
        await clients.StopAsync();
    }

    [Fact]
    public async Task A_synchronous_scaling_waits_for_a_worker_that_is_being_replaced()
    {
        await _server.ServeAsync("wounded", "EchoHandler", workers: 2);
        var killed = (await _server.WorkerPidsAsync("wounded"))[0];
        Signals.Kill(killed);
        await Eventually.HoldsAsync("the worker is gone", () => !Processes.IsAlive(killed));

        await _server.ScaleAsync("wounded", 3);
        await Eventually.BecomesAsync("three workers", () => _server.WorkerPidsAsync("wounded"), pids => pids.Count == 3 && !pids.Contains(killed));
    }

    [Fact]
    public async Task A_synchronous_registration_waits_for_a_worker_that_is_being_replaced()
    {
        using var gates = new Gates();
        HandlerModels.Write(_server.ModelStore, "wounded-early", "SlowToLoadHandler", gates.Setting);
        var registered = _server.RegisterAsync("wounded-early", workers: 2);
        var (first, second) = (await gates.NextAsync(), await gates.NextAsync());
        first.Open();
        var killed = (await Eventually.BecomesAsync("one is ready", () => _server.WorkerPidsAsync("wounded-early"), pids => pids.Count == 1)).Single();
        Signals.Kill(killed);
        await Eventually.BecomesAsync("it is gone", () => _server.WorkerPidsAsync("wounded-early"), pids => pids.Count == 0);

        second.Open();
        (await gates.NextAsync()).Open();

        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        Assert.Equal(2, (await _server.WorkerPidsAsync("wounded-early")).Count);
    }

    [Fact]
    public async Task Changing_the_default_version_under_load_fails_no_request()
    {
        await _server.ServeAsync("versioned", "EchoHandler", "maxQueueSize: 1000", version: "1.0");
        await _server.ServeAsync("versioned", "EchoHandler", "maxQueueSize: 1000", version: "2.0");
        await using var clients = new EchoClients(_server, "versioned", count: 8);
        foreach (var version in (string[])["2.0", "1.0", "2.0"])
        {
            await clients.AnswerAsync(30);
            var answer = await _server.ManageAsync(HttpMethod.Put, $"/models/versioned/{version}/set-default");
            Assert.True(answer.Status == HttpStatusCode.OK, answer.Text);
            Assert.Equal(version, (await _server.DescribeAsync("versioned")).ModelVersion);
        }

        // The version that is the default no more goes, and nobody notices.
        var old = (await _server.ManageAsync(HttpMethod.Delete, "/models/versioned/1.0")).Status;
        Assert.Equal(HttpStatusCode.OK, old);
        await clients.AnswerAsync(30);
        await clients.StopAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await _server.PredictAsync("versioned", [1], "1.0")).Status);
        Assert.Equal(HttpStatusCode.OK, (await _server.PredictAsync("versioned", [1], "2.0")).Status);
    }

    [Fact]
    public async Task Unregistering_under_load_answers_what_was_accepted()
    {
        using var gates = new Gates();
        HandlerModels.Write(_server.ModelStore, "leaving", "GatedHandler", $"batchSize: 2\n{gates.Setting}");
        var registered = _server.RegisterAsync("leaving");
        var gate = await gates.NextAsync();
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        var pid = (await _server.WorkerPidsAsync("leaving")).Single();
        var accepted = Enumerable.Range(0, 10).Select(i => _server.PredictAsync("leaving", [(byte)i])).ToList();
        await gate.BatchAsync();
        await Eventually.BecomesAsync("all have arrived", () => _server.MetricAsync("serve_requests_in_flight{model=\"leaving\",version=\"1.0\"}"), count => count == 10);
        await Eventually.BecomesAsync("all wait", async () => (await _server.DescribeAsync("leaving")).JobQueueStatus.PendingRequests, waiting => waiting == 6);

        var unregistered = _server.ManageAsync(HttpMethod.Delete, "/models/leaving");
        await _server.WaitForLogAsync(line => line.Contains("unregistered leaving version 1.0", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.NotFound, (await _server.PredictAsync("leaving", [1])).Status);
        gate.Open();
        var open = gate.StayOpenAsync();

        Assert.All(await Task.WhenAll(accepted), answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Equal(HttpStatusCode.OK, (await unregistered).Status);
        await open;
        Assert.False(Processes.IsAlive(pid));
        Assert.DoesNotContain("model=\"leaving\"", await _server.ScrapeAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scaling_to_none_under_load_answers_everybody_when_the_workers_have_left()
    {
        using var gates = new Gates();
        HandlerModels.Write(_server.ModelStore, "emptied", "GatedHandler", $"batchSize: 2\n{gates.Setting}");
        var registered = _server.RegisterAsync("emptied", workers: 2);
        Gates.Gate[] workers = [await gates.NextAsync(), await gates.NextAsync()];
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        var accepted = Enumerable.Range(0, 12).Select(i => _server.PredictAsync("emptied", [(byte)i])).ToList();
        foreach (var worker in workers) await worker.BatchAsync();
        await Eventually.BecomesAsync("all have arrived", () => _server.MetricAsync("serve_requests_in_flight{model=\"emptied\",version=\"1.0\"}"), count => count == 12);

        var scaled = _server.ScaleAsync("emptied", 0);
        await Eventually.BecomesAsync("it has none", async () => (await _server.DescribeAsync("emptied")).State, state => state == ModelState.Idle);
        foreach (var worker in workers) worker.Open();
        var open = workers.Select(worker => worker.StayOpenAsync()).ToList();

        // The second worker gave back what it had not begun while the first was there yet.
        var answers = await Task.WhenAll(accepted).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.OK || (answer.Status == HttpStatusCode.ServiceUnavailable && answer.Headers.ContainsKey("Retry-After")), answer.Text));
        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.OK);
        await scaled;
        await Task.WhenAll(open);
    }

    private async Task<IReadOnlyList<int>> ScaledAsync(int workers)
    {
        var version = await _server.DescribeAsync("scaled");
        Assert.Equal((workers, workers, ModelState.Ready), (version.MinWorkers, version.MaxWorkers, version.State));
        var pids = await _server.WorkerPidsAsync("scaled");
        Assert.Equal(workers, pids.Distinct().Count());
        return pids;
    }
}
