using Serve.Core.Models;
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
        using var run = new Run(instances: 1, Quick);
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
        using var run = new Run(instances: 1, Quick);
        var first = run.Submit();
        Assert.False(run.Answer(1, decodeMicroseconds: 300));
        (await first).Dispose();

        _ = run.Submit();
        run.Worker.Flushes.Clear();
        _ = run.Submit();
        Assert.Equal([false], run.Worker.Flushes);
    }

    [Fact]
    public async Task A_row_that_is_only_copied_leaves_with_the_next_answer()
    {
        using var run = new Run(instances: 1, Quick);
        var first = run.Submit();
        Assert.True(run.Answer(1, decodeMicroseconds: 3));
        (await first).Dispose();

        _ = run.Submit();
        run.Worker.Flushes.Clear();
        _ = run.Submit();
        Assert.Empty(run.Worker.Flushes);
    }

    [Fact]
    public async Task What_decoding_takes_is_an_average()
    {
        using var run = new Run(instances: 1, Quick);
        var requests = Enumerable.Range(0, 34).Select(_ => run.Submit()).ToArray();
        Assert.True(run.Answer(1, decodeMicroseconds: 1));

        // One of 500 µs among many of 1 µs is an exception, many of them are not.
        Assert.True(run.Answer(2, decodeMicroseconds: 500));
        for (var id = 3UL; id <= 33; id++) run.Answer(id, decodeMicroseconds: 500);
        Assert.False(run.Answer(34, decodeMicroseconds: 500));
        foreach (var request in requests) (await request).Dispose();
    }

    [Theory]
    [InlineData(20, true)]
    [InlineData(100, false)]
    public void Where_several_batches_run_at_once_only_shorter_ones_take_the_next_row_along(int microseconds, bool waits)
    {
        using var run = new Run(instances: 2, new WarmUpTime(32, microseconds));
        _ = run.Submit();
        _ = run.Submit();
        Assert.Equal(waits ? [true] : [true, false], run.Worker.Flushes);
    }

    [Fact]
    public void A_row_for_a_device_that_takes_milliseconds_leaves_at_once()
    {
        using var run = new Run(instances: 1, new WarmUpTime(32, Microseconds: 5000));
        _ = run.Submit();
        _ = run.Submit();
        Assert.Equal([true, false], run.Worker.Flushes);
    }

    [Fact]
    public void A_row_for_a_device_that_nothing_is_known_of_leaves_at_once()
    {
        using var run = new Run(instances: 1, warmUp: null);
        _ = run.Submit();
        _ = run.Submit();
        Assert.Equal([true, false], run.Worker.Flushes);
    }

    private sealed class Run : IDisposable
    {
        private readonly TestScheduler _test;

        public Run(int instances, WarmUpTime? warmUp)
        {
            _test = new TestScheduler(batchSize: 32, instances);
            _test.AddWorker(credit: 64, warmUp is null ? null : [.. Enumerable.Repeat(warmUp, 100)]);
            Worker.Flushes.Clear();
        }

        public TestWorker Worker => _test.Worker;

        public Task<InferenceResponse> Submit() => _test.Submit(seconds: 60, isClients: false);

        public bool Answer(ulong id, uint decodeMicroseconds)
        {
            var response = InferenceResponse.Rent(200, null, [], new OutputTimes(1, 0, decodeMicroseconds, 0, 10, 0));
            return _test.Say([new LinkEvent(FrameType.Output, id, 0, IsLast: true, response, null)]);
        }

        public void Dispose() => _test.Dispose();
    }
}
