using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Errors;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

/// <summary>When a version has nothing left to answer, and may be taken away.</summary>
public sealed class IdleTests : IDisposable
{
    private readonly LateTimers _time = new();
    private readonly ModelMetrics _metrics = new("idle", "1.0");
    private readonly InferenceScheduler _scheduler;
    private readonly TestWorker _worker = new();

    public IdleTests() =>
        _scheduler = new InferenceScheduler("model", new ModelConfiguration { Handler = "test" }, completeInline: true, _time, _metrics, NullLogger.Instance);

    public void Dispose()
    {
        _scheduler.Dispose();
        _worker.Dispose();
        _metrics.Dispose();
    }

    [Fact]
    public async Task A_request_that_became_late_in_line_is_answered_before()
    {
        Assert.True(_scheduler.WhenIdle().IsCompleted);
        var answer = _scheduler.Submit(RequestPayload.Rent(1), lane: 0, TimeSpan.FromSeconds(1), isClients: true, CancellationToken.None).AsTask();
        var idle = _scheduler.WhenIdle();

        // Its deadline has passed, but the timer has not noticed yet.
        _time.Lag = TimeSpan.FromSeconds(1);
        _scheduler.AddWorker(_worker, credit: 8, null);
        Assert.Equal(0, _scheduler.PendingRequests);
        Assert.False(idle.IsCompleted);
        Assert.False(_scheduler.WhenIdle().IsCompleted);

        _time.Advance(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAsync<ResponseTimeoutException>(() => answer);
        await idle;
        Assert.Equal(0, _worker.Slot!.OutstandingRequests);
    }

    /// <summary>Timers are behind the clock, as they are on a busy machine.</summary>
    private sealed class LateTimers : FakeTimeProvider
    {
        public TimeSpan Lag { get; set; }

        public override long GetTimestamp() => base.GetTimestamp() + Lag.Ticks * TimestampFrequency / TimeSpan.TicksPerSecond;
    }
}
