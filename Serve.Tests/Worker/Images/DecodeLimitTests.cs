using Microsoft.Extensions.Time.Testing;
using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

public sealed class DecodeLimitTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();
    private TimeSpan _used;

    [Fact]
    public void A_thread_that_does_not_get_the_processor_is_given_more_time()
    {
        using var limit = new DecodeLimit(_time, () => _used);
        var token = limit.Begin(2 * Second).Token;

        Pass(clock: 2 * Second, processor: 0.5 * Second);
        Assert.False(token.IsCancellationRequested);
        Pass(clock: 1.5 * Second, processor: 1.4 * Second);
        Assert.False(token.IsCancellationRequested);
        Pass(clock: 0.1 * Second, processor: 0.1 * Second);
        Assert.True(token.IsCancellationRequested);
    }

    [Fact]
    public void One_that_only_waits_is_stopped_after_ten_times_the_limit()
    {
        using var limit = new DecodeLimit(_time, () => _used);
        var token = limit.Begin(Second).Token;

        for (var i = 0; i < 9; i++) Pass(clock: Second, processor: TimeSpan.Zero);
        Assert.False(token.IsCancellationRequested);
        Pass(clock: Second, processor: TimeSpan.Zero);
        Assert.True(token.IsCancellationRequested);
    }

    [Fact]
    public void Where_nobody_tells_the_processor_time_the_clock_decides()
    {
        using var limit = new DecodeLimit(_time, processorTime: null);
        var token = limit.Begin(Second).Token;

        _time.Advance(0.9 * Second);
        Assert.False(token.IsCancellationRequested);
        _time.Advance(0.1 * Second);
        Assert.True(token.IsCancellationRequested);
    }

    [Fact]
    public void The_next_decoding_has_all_its_time_whether_the_last_one_was_late_or_not()
    {
        using var limit = new DecodeLimit(_time, () => _used);
        foreach (var late in (bool[])[false, true, false])
        {
            var token = limit.Begin(Second).Token;
            Pass(clock: 0.9 * Second, processor: 0.9 * Second);
            Assert.False(token.IsCancellationRequested);
            if (late) Pass(clock: 0.2 * Second, processor: 0.2 * Second);
            Assert.Equal(late, token.IsCancellationRequested);
            limit.End();
        }

        // Nor does a timer that nobody stopped reach one without a limit.
        var unlimited = limit.Begin(Timeout.InfiniteTimeSpan).Token;
        Pass(clock: 100 * Second, processor: 100 * Second);
        Assert.False(unlimited.IsCancellationRequested);
    }

    [Fact]
    public void A_threads_processor_time_passes_while_it_works_and_not_while_it_waits()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux tells one thread the processor time of another here");
        var clock = ThreadProcessorClock.OfThisThread()!;

        var start = clock();
        while (clock() - start < TimeSpan.FromMilliseconds(2)) Thread.SpinWait(100);
        var worked = clock();
        using var never = new ManualResetEvent(false);
        never.WaitOne(TimeSpan.FromMilliseconds(50));

        Assert.InRange(clock() - worked, TimeSpan.Zero, TimeSpan.FromMilliseconds(40));
    }

    private void Pass(TimeSpan clock, TimeSpan processor)
    {
        _used += processor;
        _time.Advance(clock);
    }
}
