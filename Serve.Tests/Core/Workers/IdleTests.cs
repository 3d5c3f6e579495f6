using System.Buffers;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Caching;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

/// <summary>When a version has nothing left to answer, and may be taken away.</summary>
public sealed class IdleTests : IDisposable
{
    private readonly LateTimers _time = new();
    private readonly TestScheduler _test;
    private readonly InferenceScheduler _scheduler;

    public IdleTests()
    {
        _test = new TestScheduler(time: _time);
        _scheduler = _test.Tested;
    }

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task A_request_that_became_late_in_line_is_answered_before()
    {
        Assert.True(_scheduler.WhenIdle().IsCompleted);
        var answer = _test.Submit(seconds: 1);
        var idle = _scheduler.WhenIdle();

        // Its deadline has passed, but the timer has not noticed yet.
        _time.Lag = TimeSpan.FromSeconds(1);
        _test.AddWorker(credit: 8);
        Assert.Equal(0, _scheduler.PendingRequests);
        Assert.False(idle.IsCompleted);
        Assert.False(_scheduler.WhenIdle().IsCompleted);

        _time.Advance(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAsync<ResponseTimeoutException>(() => answer);
        await idle;
        Assert.Equal(0, _test.Worker.Slot!.OutstandingRequests);
    }

    [Fact]
    public async Task A_request_that_became_late_in_line_is_answered_after_closing_too()
    {
        var answer = _test.Submit(seconds: 1);
        _time.Lag = TimeSpan.FromSeconds(1);
        _test.AddWorker(credit: 8);

        _scheduler.Close(Refusal);
        var idle = _scheduler.WhenIdle();
        Assert.False(idle.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAsync<ResponseTimeoutException>(() => answer);
        await idle;
    }

    [Fact]
    public async Task When_it_is_closed_what_waits_is_refused_and_what_comes_too()
    {
        var waiting = _test.Submit(seconds: 1);
        _scheduler.Close(Refusal);
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => waiting);

        await Assert.ThrowsAsync<ServiceUnavailableException>(() => _test.Submit(seconds: 1));
        Assert.True(_scheduler.WhenIdle().IsCompleted);
    }

    [Fact]
    public async Task What_a_worker_had_that_leaves_after_closing_is_refused()
    {
        _test.AddWorker(credit: 8);
        var answer = _test.Submit(seconds: 60);
        Assert.False(_scheduler.DrainWorker(_test.Worker));
        _scheduler.Close(Refusal);
        var idle = _scheduler.WhenIdle();
        Assert.False(idle.IsCompleted);

        // It was told to leave before, and is stopped over its request: nobody else is there to run it.
        _scheduler.RemoveWorker(_test.Worker, WorkerLossReason.Stopped, out var failed);
        Assert.Empty(failed);
        await Assert.ThrowsAsync<ServiceUnavailableException>(() => answer);
        await idle;
    }

    [Fact]
    public async Task Each_who_joined_a_request_with_the_same_input_is_refused_in_turn()
    {
        using var counts = new CacheMetrics("idle", "1.0");
        var cache = new ResponseCache(1 << 20, _scheduler.Submit, _time, _test.Metrics, counts);

        // The first runs, the others wait for its answer. Each who has more time than the one before tries again when that fails.
        var answers = Enumerable.Range(1, 3).Select(second => cache.InferAsync(Payload(), lane: 0, TimeSpan.FromSeconds(second), isClients: true, rows: 1, CancellationToken.None).AsTask()).ToList();
        Assert.Equal(1, _scheduler.QueuedRequests);
        _scheduler.Close(Refusal);

        foreach (var answer in answers) await Assert.ThrowsAsync<ServiceUnavailableException>(() => answer);
        Assert.True(_scheduler.WhenIdle().IsCompleted);

        static RequestPayload Payload()
        {
            var payload = RequestPayload.Rent(1);
            payload.Write("x"u8);
            payload.AddPart("body", null, 0, 1);
            return payload;
        }
    }

    private static ServiceUnavailableException Refusal() => new("It is draining.", TimeSpan.FromSeconds(1));

    /// <summary>Timers are behind the clock, as they are on a busy machine.</summary>
    private sealed class LateTimers : FakeTimeProvider
    {
        public TimeSpan Lag { get; set; }

        public override long GetTimestamp() => base.GetTimestamp() + Lag.Ticks * TimestampFrequency / TimeSpan.TicksPerSecond;
    }
}
