using System.Globalization;
using System.Text;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

/// <summary>Requests of a version that no worker serves, or that has a successor.</summary>
public sealed class RefusalTests : IDisposable
{
    private readonly TestScheduler _test = new(batchSize: 2);
    private readonly InferenceScheduler _scheduler;
    private readonly TestWorker _second = new();

    public RefusalTests() => _scheduler = _test.Tested;

    public void Dispose()
    {
        _test.Dispose();
        _second.Dispose();
    }

    [Fact]
    public async Task What_comes_back_from_workers_that_leave_last_is_refused_at_once()
    {
        _test.AddWorker(credit: 4);
        _scheduler.AddWorker(_second, credit: 4, null);
        var answers = Enumerable.Range(0, 8).Select(_ => _test.Submit()).ToList();
        var unbegun = _second.Slot!.InFlight.Keys.ToList();

        // Scaled to none: the first still takes requests when the second is asked for those that it has not begun.
        _scheduler.SetRefusal(Refusal);
        Assert.False(_scheduler.DrainWorker(_second));
        Assert.False(_scheduler.DrainWorker(_test.Worker));
        Assert.Contains(_second.Receive(), frame => frame.Type == FrameType.Recall);
        _scheduler.Apply(_second, [new LinkEvent(FrameType.Returned, 0, unbegun.Count, false, null, null)], unbegun, []);

        foreach (var id in unbegun) await Assert.ThrowsAsync<ServiceUnavailableException>(() => answers[(int)id - 1]);
        Assert.Equal(4, answers.Count(answer => !answer.IsCompleted));
        Assert.Equal((0, 4), (_scheduler.QueuedRequests, _scheduler.PendingRequests));
    }

    [Theory]
    [InlineData(WorkerLossReason.Crashed)]
    [InlineData(WorkerLossReason.Stopped)]
    public async Task What_a_worker_had_that_was_the_last_is_refused_when_it_goes(WorkerLossReason reason)
    {
        _test.AddWorker(credit: 4);
        var answers = Enumerable.Range(0, 4).Select(_ => _test.Submit()).ToList();
        _test.SayBegun(1, 2);
        _scheduler.SetRefusal(Refusal);
        Assert.False(_scheduler.DrainWorker(_test.Worker));

        _scheduler.RemoveWorker(_test.Worker, reason, out var failed);
        Assert.Empty(failed);
        foreach (var answer in answers) await Assert.ThrowsAsync<ServiceUnavailableException>(() => answer);
        Assert.Equal(0, _scheduler.PendingRequests);
    }

    [Fact]
    public async Task A_request_that_was_let_in_before_is_refused_and_one_may_wait_again_when_a_worker_is_on_its_way()
    {
        var waiting = _test.Submit();
        _scheduler.SetRefusal(Refusal);
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => waiting);
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => _test.Submit());

        _scheduler.SetRefusal(null);
        var next = _test.Submit();
        Assert.Equal(1, _scheduler.QueuedRequests);
        _test.AddWorker(credit: 4);
        Assert.Equal((0, 1), (_scheduler.QueuedRequests, _scheduler.PendingRequests));
        Assert.False(next.IsCompleted);
    }

    [Fact]
    public async Task What_is_closed_stays_closed()
    {
        _scheduler.Close(Refusal);
        _scheduler.SetRefusal(null);
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => _test.Submit());
    }

    [Fact]
    public async Task What_comes_after_a_successor_took_over_runs_there_even_when_nothing_is_taken_any_more()
    {
        _test.AddWorker(credit: 4);
        var before = _test.Submit();
        var (runs, body) = (0, "");
        _scheduler.PassOn((payload, lane, timeout, isClients, clientGone, rows) =>
        {
            Assert.Equal((0, TimeSpan.FromSeconds(10), true, 1), (lane, timeout, isClients, rows));
            body = Encoding.ASCII.GetString(payload.Body.Span); // not released before
            payload.Release();
            runs++;
            return ValueTask.FromResult(InferenceResponse.Rent(200, null, [], default));
        });

        (await _test.Submit(body: "late")).Dispose();
        Assert.Equal((1, "late"), (runs, body));
        Assert.Equal(1, _scheduler.PendingRequests);

        // The version had nothing any more, and is closed; a request that it let in a moment ago comes only now.
        _scheduler.RemoveWorker(_test.Worker, WorkerLossReason.Stopped, out _);
        _scheduler.Close(Refusal);
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => before);
        (await _test.Submit(body: "later")).Dispose();
        Assert.Equal((2, "later"), (runs, body));
        Assert.True(_scheduler.WhenIdle().IsCompleted);
    }

    [Fact]
    public async Task Questions_to_the_handler_are_not_counted_as_batches()
    {
        _scheduler.CountResponses();
        _test.AddWorker(credit: 4);
        for (ulong id = 1; id <= 10; id++)
        {
            var answer = _test.Submit(RequestPayload.Description());
            _test.SayBegun(id);
            _test.Say([new LinkEvent(FrameType.Output, id, 0, IsLast: true, InferenceResponse.Rent(200, null, [], default), null)]);
            (await answer).Dispose();
        }

        var load = _scheduler.Load;
        Assert.Equal((0, 0), (load.Load.ArrivalsPerSecond, load.Load.BatchFill));
        Assert.All(load.Costs, cost => Assert.Equal(TimeSpan.Zero, cost.Mean));
        Assert.Empty(_scheduler.Executed.Sizes);
        Assert.Empty(_scheduler.Responses!.Read());
        Assert.Equal(0, await MetricAsync("serve_batch_size_count"));
    }

    [Fact]
    public async Task The_length_of_the_queue_is_told_when_what_waited_became_late_and_nothing_comes_any_more()
    {
        var answers = Enumerable.Range(0, 50).Select(_ => _test.Submit()).ToList();
        Assert.Equal(50, await MetricAsync("serve_queue_requests"));

        _test.Time.Advance(TimeSpan.FromSeconds(11));
        foreach (var answer in answers) await Assert.ThrowsAsync<ResponseTimeoutException>(() => answer);
        _scheduler.ObserveQueue();
        Assert.Equal(0, await MetricAsync("serve_queue_requests"));
    }

    private static ServiceUnavailableException Refusal() => new("It has no workers.", TimeSpan.FromSeconds(10));

    private async Task<double> MetricAsync(string name)
    {
        using var text = new MemoryStream();
        await ServeMetrics.Registry.CollectAndExportAsTextAsync(text);
        var start = $"{name}{{model=\"{_test.Model}\",version=\"1.0\"}} ";
        var line = Encoding.UTF8.GetString(text.ToArray()).Split('\n').Single(line => line.StartsWith(start, StringComparison.Ordinal));
        return double.Parse(line.AsSpan(start.Length), CultureInfo.InvariantCulture);
    }
}
