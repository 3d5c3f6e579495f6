using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

/// <summary>When a request's frame leaves for its worker: at once, or with the worker's next answer.</summary>
public sealed class FlushingTests
{
    private static readonly WarmUpTime Quick = new(32, Microseconds: 20);

    [Fact]
    public async Task A_frame_for_a_worker_that_is_busy_for_microseconds_leaves_with_its_next_answer()
    {
        using var run = new Run("quick", instances: 1, Quick);
        var first = run.Submit();
        Assert.Equal([true], run.Worker.Flushes);

        var second = run.Submit();
        Assert.Equal([true], run.Worker.Flushes);
        Assert.Equal([1UL], run.Worker.Receive().Select(frame => frame.Id));

        Assert.True(run.Answer(1, decodeMicroseconds: 0));
        Assert.Equal([2UL], run.Worker.Receive().Select(frame => frame.Id));
        (await first).Dispose();

        run.Answer(2, decodeMicroseconds: 0);
        (await second).Dispose();
    }

    [Fact]
    public async Task A_row_that_is_decoded_leaves_at_once()
    {
        using var run = new Run("decoding", instances: 1, Quick);
        var first = run.Submit();
        Assert.False(run.Answer(1, decodeMicroseconds: 300));
        (await first).Dispose();

        _ = run.Submit();
        run.Worker.Flushes.Clear();
        _ = run.Submit();
        Assert.Equal([false], run.Worker.Flushes);
    }

    [Fact]
    public void A_row_for_a_device_that_executes_several_batches_leaves_at_once()
    {
        using var run = new Run("instances", instances: 2, Quick);
        _ = run.Submit();
        _ = run.Submit();
        Assert.Equal([true, false], run.Worker.Flushes);
    }

    [Fact]
    public void A_row_for_a_device_that_takes_milliseconds_leaves_at_once()
    {
        using var run = new Run("slow", instances: 1, new WarmUpTime(32, Microseconds: 5000));
        _ = run.Submit();
        _ = run.Submit();
        Assert.Equal([true, false], run.Worker.Flushes);
    }

    [Fact]
    public void A_row_for_a_device_that_nothing_is_known_of_leaves_at_once()
    {
        using var run = new Run("unknown", instances: 1, warmUp: null);
        _ = run.Submit();
        _ = run.Submit();
        Assert.Equal([true, false], run.Worker.Flushes);
    }

    private sealed class Run : IDisposable
    {
        private readonly ModelMetrics _metrics;
        private readonly InferenceScheduler _scheduler;
        private readonly List<Completion> _completions = [];

        public Run(string model, int instances, WarmUpTime? warmUp)
        {
            _metrics = new ModelMetrics($"flushing-{model}", "1.0");
            _scheduler = new InferenceScheduler(model, new ModelConfiguration { Handler = "test", BatchSize = 32, Instances = instances }, completeInline: true, new FakeTimeProvider(), _metrics, NullLogger.Instance);
            _scheduler.AddWorker(Worker, credit: 64, warmUp is null ? null : [.. Enumerable.Repeat(warmUp, 100)]);
            Worker.Flushes.Clear();
        }

        public TestWorker Worker { get; } = new();

        public Task<InferenceResponse> Submit() => _scheduler.Submit(RequestPayload.Rent(1), lane: 0, TimeSpan.FromMinutes(1), isClients: false, CancellationToken.None).AsTask();

        public bool Answer(ulong id, uint decodeMicroseconds)
        {
            var response = InferenceResponse.Rent(200, null, [], new OutputTimes(1, 0, decodeMicroseconds, 0, 10, 0));
            return _scheduler.Apply(Worker, [new LinkEvent(FrameType.Output, id, 0, IsLast: true, response, null)], [], _completions);
        }

        public void Dispose()
        {
            _scheduler.Dispose();
            Worker.Dispose();
            _metrics.Dispose();
        }
    }
}
