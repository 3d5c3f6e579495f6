using System.Net;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>More requests than can be served, clients that leave, deadlines that pass.</summary>
public sealed class OverloadTests : IClassFixture<HandlerServer>
{
    private readonly ServerFixture _server;

    public OverloadTests(HandlerServer server, ITestOutputHelper output)
    {
        _server = server.Server;
        _server.ShowLogs(output);
    }

    [Fact]
    public async Task What_a_full_queue_refuses_may_come_again_and_the_rest_is_answered()
    {
        using var gates = new Gates();
        var gate = await ServeGatedAsync("crowded", gates, "batchSize: 2\nmaxQueueSize: 10");
        var requests = Enumerable.Range(0, 500).Select(i => _server.PredictAsync("crowded", Encoding.ASCII.GetBytes($"request {i}"))).ToList();

        // Nothing has been answered yet: the worker has two batches' worth, ten wait, and all others are refused.
        await Eventually.HoldsAsync("486 refusals", () => requests.Count(request => request.IsCompleted) == 486);
        Assert.InRange(await gate.BatchAsync(), 1, 2);
        gate.Open();
        var open = gate.StayOpenAsync();

        var answers = await Task.WhenAll(requests);
        Assert.Equal(14, answers.Count(answer => answer.Status == HttpStatusCode.OK));
        for (var i = 0; i < answers.Length; i++)
        {
            if (answers[i].Status == HttpStatusCode.OK)
            {
                Assert.Equal($"request {i}", answers[i].Text);
                continue;
            }

            Assert.Equal((HttpStatusCode.ServiceUnavailable, "1", 503, "ServiceUnavailableException"), (answers[i].Status, answers[i].Headers["Retry-After"], answers[i].Error.Code, answers[i].Error.Type));
            Assert.Contains("The queue of model \"crowded\", version 1.0 is full: 10 requests wait (maxQueueSize).", answers[i].Error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(486, await _server.MetricAsync("serve_rejected_total{model=\"crowded\",version=\"1.0\",reason=\"queue_full\"}"));
        await UnregisterAsync("crowded");
        await open;
    }

    [Fact]
    public async Task A_client_that_leaves_takes_its_request_along()
    {
        using var gates = new Gates();
        var gate = await ServeGatedAsync("left", gates);
        using var leaving = new CancellationTokenSource();
        var running = LeaveAsync("left", leaving.Token);
        Assert.Equal(1, await gate.BatchAsync());
        var atWorker = _server.PredictAsync("left", "at the worker"u8.ToArray());
        await Eventually.BecomesAsync("the second is at the worker", async () => (await _server.DescribeAsync("left")).Workers.Single().OutstandingRows, rows => rows == 2);
        using var tired = new CancellationTokenSource();
        var queued = LeaveAsync("left", tired.Token);
        await QueuedAsync("left", 1);

        // One that waits: it is gone at once.
        await tired.CancelAsync();
        await queued;
        await QueuedAsync("left", 0);
        Assert.Equal(1, await _server.MetricAsync("serve_cancelled_total{model=\"left\",version=\"1.0\"}"));

        // One that runs: its batch hears of it.
        await leaving.CancelAsync();
        await running;
        Assert.Equal(0, await gate.BatchAsync());
        gate.Open();
        Assert.Equal(1, await gate.BatchAsync());
        gate.Open();
        Assert.Equal("at the worker", (await atWorker).Text);
        await Eventually.BecomesAsync("both are counted", () => _server.MetricAsync("serve_requests_total{model=\"left\",version=\"1.0\",code=\"499\"}"), count => count == 2);
        Assert.Equal(0, await _server.MetricAsync("serve_requests_in_flight{model=\"left\",version=\"1.0\"}"));
    }

    [Fact]
    public async Task A_deadline_that_passes_while_it_waits_costs_no_device_time()
    {
        using var gates = new Gates();
        var gate = await ServeGatedAsync("late", gates);
        var running = _server.PredictAsync("late", "running"u8.ToArray());
        Assert.Equal(1, await gate.BatchAsync());

        // One is sent to the worker behind it, one stays in the queue.
        var late = await Task.WhenAll(
            _server.PredictAsync("late", "first"u8.ToArray(), null, ("x-serve-timeout-ms", "100")),
            _server.PredictAsync("late", "second"u8.ToArray(), null, ("x-serve-timeout-ms", "100")));
        Assert.All(late, answer =>
        {
            Assert.Equal((HttpStatusCode.GatewayTimeout, "ResponseTimeoutException"), (answer.Status, answer.Error.Type));
            Assert.Contains("within 100 ms, the request's deadline", answer.Error.Message, StringComparison.Ordinal);
        });

        gate.Open();
        Assert.Equal("running", (await running).Text);
        var next = _server.PredictAsync("late", "next"u8.ToArray());
        Assert.Equal(1, await gate.BatchAsync());
        gate.Open();
        Assert.Equal("next", (await next).Text);
        Assert.Equal(1, await _server.MetricAsync("serve_expired_total{model=\"late\",version=\"1.0\",where=\"worker\"}"));
        Assert.Equal(1, await _server.MetricAsync("serve_expired_total{model=\"late\",version=\"1.0\",where=\"queue\"}"));
        Assert.Equal(2, await _server.MetricAsync("serve_batch_size_sum{model=\"late\",version=\"1.0\"}"));
    }

    [Fact]
    public async Task Delayed_batching_fills_batches_and_lets_nobody_wait_for_ever()
    {
        await _server.ServeAsync("delayed", "HeaderEchoHandler", "batching: delayed\nbatchSize: 4\nmaxBatchDelay: 300ms");
        var one = await _server.PredictAsync("delayed", "alone"u8.ToArray());
        Assert.Equal(1, one.Json.GetProperty("batch").GetInt32());

        await _server.ServeAsync("filled", "HeaderEchoHandler", "batching: delayed\nbatchSize: 4\nmaxBatchDelay: 1h\nresponseTimeout: 60s");
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => _server.PredictAsync("filled", [(byte)i])));
        Assert.All(answers, answer => Assert.Equal(4, answer.Json.GetProperty("batch").GetInt32()));
        Assert.Equal(3, await _server.MetricAsync("serve_batch_size_count{model=\"filled\",version=\"1.0\"}"));
    }

    [Fact]
    public async Task Priorities_go_before_arrival()
    {
        using var gates = new Gates();
        var gate = await ServeGatedAsync("lanes", gates, "priorityLevels: 3");
        List<Task<Answer>> requests = [_server.PredictAsync("lanes", "running"u8.ToArray())];
        Assert.Equal(1, await gate.BatchAsync());
        requests.Add(_server.PredictAsync("lanes", "sent ahead"u8.ToArray()));
        await Eventually.BecomesAsync("two are at the worker", async () => (await _server.DescribeAsync("lanes")).Workers.Single().OutstandingRows, rows => rows == 2);
        var low = _server.PredictAsync("lanes", "low"u8.ToArray(), null, ("x-serve-priority", "3"));
        await QueuedAsync("lanes", 1);
        var high = _server.PredictAsync("lanes", "high"u8.ToArray(), null, ("x-serve-priority", "1"));
        await QueuedAsync("lanes", 2);

        gate.Open();
        await requests[0];

        // The one that was sent ahead and the one that overtook the queue: the worker may be quick enough for either order.
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(1, await gate.BatchAsync());
            gate.Open();
        }

        await requests[1];
        Assert.Equal("high", (await high).Text);
        Assert.False(low.IsCompleted);
        Assert.Equal(1, await gate.BatchAsync());
        gate.Open();
        Assert.Equal("low", (await low).Text);
    }

    private async Task<Gates.Gate> ServeGatedAsync(string model, Gates gates, string settings = "")
    {
        HandlerModels.Write(_server.ModelStore, model, "GatedHandler", $"{settings}\n{gates.Setting}");
        var registered = _server.RegisterAsync(model);
        var gate = await gates.NextAsync();
        Assert.Equal(HttpStatusCode.OK, (await registered).Status);
        return gate;
    }

    private async Task UnregisterAsync(string model) => Assert.Equal(HttpStatusCode.OK, (await _server.ManageAsync(HttpMethod.Delete, $"/models/{model}")).Status);

    private Task<int> QueuedAsync(string model, int requests) =>
        Eventually.BecomesAsync($"{requests} wait", async () => (await _server.DescribeAsync(model)).JobQueueStatus.PendingRequests, waiting => waiting == requests);

    private async Task LeaveAsync(string model, CancellationToken leave)
    {
        using var content = new ByteArrayContent("leaves"u8.ToArray());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _server.Http.PostAsync($"{_server.Inference}/predictions/{model}", content, leave));
    }
}
