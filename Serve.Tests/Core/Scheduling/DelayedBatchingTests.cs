using Serve.Core.Configuration;

namespace Serve.Tests.Core.Scheduling;

public sealed class DelayedBatchingTests
{
    private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(50);

    private static DispatcherBench NewBench(int batchSize = 4, int maxQueueSize = 100) =>
        new(new() { Mode = BatchingMode.Delayed, BatchSize = batchSize, MaxBatchDelay = Delay, MaxQueueSize = maxQueueSize });

    [Fact]
    public void A_full_batch_goes_at_once_and_says_that_more_follows_on_all_but_the_last()
    {
        var bench = NewBench();
        bench.Dispatcher.AddWorker("w", credit: 8);
        bench.AdmitMany(3);
        Assert.Empty(bench.Sent);

        bench.AdmitMany(2);
        Assert.Equal([true, true, true, false], bench.Sent.Select(s => s.More));
        Assert.Equal(1, bench.Dispatcher.QueuedRequests);
    }

    [Fact]
    public void An_incomplete_batch_goes_when_its_oldest_has_waited_since_its_arrival()
    {
        var bench = NewBench();
        bench.Dispatcher.AddWorker("w", credit: 8);
        var first = bench.Admit();
        bench.Time.Advance(Delay / 2);
        bench.Admit();
        Assert.Equal(first.ArrivalTimestamp + Delay.Ticks, bench.Dispatcher.NextWakeup);

        bench.Time.Advance(Delay / 2 - TimeSpan.FromTicks(1));
        bench.Dispatcher.Wake();
        Assert.Empty(bench.Sent);

        bench.Time.Advance(TimeSpan.FromTicks(1));
        bench.Dispatcher.Wake();
        Assert.Equal([(1UL, true), (2UL, false)], bench.Sent.Select(s => (s.Id, s.More)));
        Assert.Equal(long.MaxValue, bench.Dispatcher.NextWakeup);
    }

    [Fact]
    public void A_question_to_the_handler_waits_for_no_batch_and_is_announced_as_nobodys_successor()
    {
        var bench = NewBench();
        bench.Dispatcher.AddWorker("w", credit: 8);
        bench.Admit();
        var question = bench.New(0, 1, null);
        question.IsAside = true;
        Assert.True(bench.Dispatcher.Admit(question).IsAdmitted);
        bench.Time.Advance(Delay);
        bench.Dispatcher.Wake();
        Assert.Equal((1UL, false), (bench.Sent[0].Id, bench.Sent[0].More));

        var alone = NewBench();
        alone.Dispatcher.AddWorker("w", credit: 8);
        var first = alone.New(0, 1, null);
        first.IsAside = true;
        Assert.True(alone.Dispatcher.Admit(first).IsAdmitted);
        Assert.Single(alone.Sent);
    }

    [Fact]
    public void A_batch_of_which_nothing_is_known_leaves_at_half_of_its_first_requests_time()
    {
        var bench = NewBench();
        bench.Dispatcher.AddWorker("w", credit: 8);
        bench.Admit(deadline: Delay / 2);
        bench.Time.Advance(Delay / 4 - TimeSpan.FromTicks(1));
        bench.Dispatcher.Wake();
        Assert.Empty(bench.Sent);
        bench.Time.Advance(TimeSpan.FromTicks(1));
        bench.Dispatcher.Wake();
        Assert.Single(bench.Sent);
    }

    [Fact]
    public void What_waited_while_the_worker_was_busy_goes_when_it_is_free()
    {
        var bench = NewBench();
        var worker = bench.Dispatcher.AddWorker("w", credit: 8);
        var batch = bench.AdmitMany(4);
        bench.Begin(worker, batch);
        bench.Admit();
        bench.Time.Advance(2 * Delay);
        bench.Dispatcher.Wake();
        Assert.Equal(long.MaxValue, bench.Dispatcher.NextWakeup);

        foreach (var request in batch[..3]) bench.Dispatcher.Complete(worker, request);
        Assert.Equal(4, bench.Sent.Count);
        bench.Dispatcher.Complete(worker, batch[3]);
        Assert.Equal((worker, 5UL, false), bench.Sent[^1]);
    }

    [Fact]
    public void A_batch_of_one_never_waits()
    {
        var bench = NewBench(batchSize: 1);
        bench.Dispatcher.AddWorker("w", credit: 2);
        bench.Admit();
        Assert.Single(bench.Sent);
    }

    [Fact]
    public void A_request_is_not_split_over_two_batches()
    {
        var bench = NewBench();
        bench.Dispatcher.AddWorker("w", credit: 8);
        bench.Admit(rows: 3);
        bench.Admit(rows: 2);
        Assert.Equal([(1UL, false)], bench.Sent.Select(s => (s.Id, s.More)));
    }

    [Fact]
    public void A_queue_shorter_than_a_batch_does_not_refuse_while_a_worker_is_free()
    {
        var bench = NewBench(batchSize: 8, maxQueueSize: 2);
        bench.Dispatcher.AddWorker("w", credit: 16);
        bench.AdmitMany(2);
        Assert.Equal(2, bench.Sent.Count);
    }
}
