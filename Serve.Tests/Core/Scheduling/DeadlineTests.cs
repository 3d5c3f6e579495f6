using Serve.Core.Configuration;
using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

/// <summary>What the dispatcher refuses at arrival, who goes first, and how many may wait.</summary>
public sealed class DeadlineTests
{
    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(10);

    [Fact]
    public void Before_anything_was_measured_nobody_is_refused()
    {
        var (bench, _) = Busy(measured: 0);
        for (var i = 0; i < 50; i++) bench.Admit(deadline: TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void A_request_that_would_be_late_is_refused_and_told_how_long_it_would_take()
    {
        var (bench, _) = Busy();

        // One batch of two executes for 10 ms, 2 wait at the worker: two more batches before the fourth request's own.
        bench.Admit(deadline: TimeSpan.FromMilliseconds(31));
        bench.Admit(deadline: TimeSpan.FromMilliseconds(31));
        var refused = bench.New(deadline: TimeSpan.FromMilliseconds(25));
        var admission = bench.Dispatcher.Admit(refused);

        Assert.Equal(AdmissionVerdict.TooLate, admission.Verdict);
        Assert.Equal(30, TimeSpan.FromTicks(admission.PredictedTicks).TotalMilliseconds, 1.0);
        Assert.Equal((RequestPlace.Nowhere, 2), (refused.Place, bench.Dispatcher.QueuedRequests));
    }

    [Fact]
    public void What_goes_after_it_does_not_count()
    {
        var (bench, _) = Busy(options: new() { BatchSize = 2, Lanes = 2 });
        for (var i = 0; i < 40; i++) bench.Admit(lane: 1);
        for (var i = 0; i < 20; i++) bench.Admit(lane: 0, deadline: TimeSpan.FromSeconds(30));

        Assert.Equal(AdmissionVerdict.TooLate, bench.Dispatcher.Admit(bench.New(lane: 1, deadline: TimeSpan.FromMilliseconds(100))).Verdict);
        bench.Admit(lane: 0, deadline: TimeSpan.FromMilliseconds(100));
    }

    [Fact]
    public void An_idle_worker_takes_everybody_so_that_what_was_measured_can_be_measured_again()
    {
        var (bench, worker) = Busy();
        Finish(bench, worker);
        bench.Admit(deadline: TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void A_worker_that_stands_still_refuses_nobody_whom_another_can_serve()
    {
        var (bench, _) = Busy();
        bench.Time.Advance(TimeSpan.FromSeconds(5)); // its batch should have ended long ago
        var other = bench.Dispatcher.AddWorker("other", 4);
        bench.Begin(other, bench.Admit(), bench.Admit());
        bench.Admit(deadline: TimeSpan.FromMilliseconds(25));
    }

    [Fact]
    public void A_worker_that_stands_still_alone_refuses_those_who_would_wait_for_it_in_vain()
    {
        var (bench, _) = Busy();
        bench.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(AdmissionVerdict.TooLate, bench.Dispatcher.Admit(bench.New(deadline: TimeSpan.FromSeconds(2))).Verdict);
        bench.Admit(deadline: TimeSpan.FromSeconds(8));
    }

    [Fact]
    public void A_batch_that_is_held_to_fill_leaves_in_time_for_its_first_deadline()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4, Mode = BatchingMode.Delayed, MaxBatchDelay = TimeSpan.FromSeconds(1) });
        for (var i = 0; i < 10; i++) bench.Dispatcher.Cost.Learn(4, Batch.Ticks);
        bench.Dispatcher.AddWorker("worker", 8);
        bench.Admit(deadline: TimeSpan.FromMilliseconds(50));
        bench.Admit();
        Assert.Equal(38, TimeSpan.FromTicks(bench.Dispatcher.NextWakeup - bench.Time.GetTimestamp()).TotalMilliseconds, 0.1);
        bench.Time.Advance(TimeSpan.FromMilliseconds(37));
        bench.Dispatcher.Wake();
        Assert.Empty(bench.Sent);
        bench.Time.Advance(TimeSpan.FromMilliseconds(1));
        bench.Dispatcher.Wake();
        Assert.Equal(2, bench.Sent.Count);
    }

    [Fact]
    public void Without_a_worker_there_is_nothing_to_predict()
    {
        var (bench, worker) = Busy();
        bench.Lose(worker, WorkerLossReason.Stopped);
        bench.Admit(deadline: TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void Answers_that_come_later_than_predicted_are_predicted_later()
    {
        var (bench, worker) = Busy();
        var before = Predicted(bench);
        for (var i = 0; i < 300; i++)
        {
            // The device is as fast as ever, yet everything takes 30 ms more.
            bench.AdmitMany(2);
            bench.Time.Advance(TimeSpan.FromMilliseconds(40));
            var (begun, sent) = (Outstanding(worker, RequestPlace.Begun), Outstanding(worker, RequestPlace.Sent));
            foreach (var request in begun) bench.Dispatcher.Complete(worker, request, new BatchTicks(0, Batch.Ticks, 0));
            bench.Begin(worker, sent);
        }

        Assert.InRange(Predicted(bench) - before, TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(120));
    }

    [Fact]
    public void Within_a_lane_the_earliest_deadline_goes_first()
    {
        var (bench, worker) = Busy();
        var calm = bench.Admit(deadline: TimeSpan.FromMilliseconds(900));
        var urgent = bench.Admit(deadline: TimeSpan.FromMilliseconds(300));
        Finish(bench, worker);
        Assert.Equal([urgent.Id, calm.Id], bench.SentIds.TakeLast(2));
    }

    [Fact]
    public void Without_deadlines_it_is_first_in_first_out()
    {
        var (bench, worker) = Busy();
        var requests = bench.AdmitMany(4);
        Finish(bench, worker);
        Assert.Equal(requests.Select(r => r.Id), bench.SentIds.TakeLast(4));
    }

    [Fact]
    public void A_request_without_hurry_is_overtaken_for_a_second_at_most()
    {
        var bench = new DispatcherBench(new() { BatchSize = 1 });
        var worker = bench.Dispatcher.AddWorker("worker", 1);
        bench.Admit();
        var patient = bench.Admit(deadline: TimeSpan.FromMinutes(2));
        var waited = TimeSpan.Zero;
        while (patient.Place == RequestPlace.Queued)
        {
            bench.Admit(deadline: TimeSpan.FromMilliseconds(400));
            bench.Time.Advance(Batch);
            waited += Batch;
            Finish(bench, worker);
        }

        Assert.InRange(waited, TimeSpan.FromMilliseconds(400), TimeSpan.FromMilliseconds(1_000));
    }

    [Fact]
    public void An_automatic_queue_is_what_can_be_served_within_the_target()
    {
        DispatcherOptions options = new() { BatchSize = 2, MaxQueueSize = null, LatencyTarget = TimeSpan.FromMilliseconds(200) };
        Assert.Equal(100, new DispatcherBench(options).Dispatcher.QueueLimit);
        var (bench, _) = Busy(options: options);

        // 20 batches of two in 200 ms, less the four rows that the worker has.
        Assert.Equal(36, bench.Dispatcher.QueueLimit);
        var second = bench.Dispatcher.AddWorker("second", 4);
        Assert.Equal(72, bench.Dispatcher.QueueLimit);
        bench.Dispatcher.Drain(second);
        Assert.Equal(36, bench.Dispatcher.QueueLimit);
    }

    [Fact]
    public void An_automatic_queue_keeps_its_size_while_no_worker_is_there()
    {
        var (bench, worker) = Busy(options: new() { BatchSize = 2, MaxQueueSize = null, LatencyTarget = TimeSpan.FromMilliseconds(200) });
        bench.Lose(worker, WorkerLossReason.Stopped);
        Assert.Equal(36, bench.Dispatcher.QueueLimit);
    }

    [Fact]
    public void A_target_shorter_than_a_batch_leaves_room_for_one()
    {
        var (bench, _) = Busy(options: new() { BatchSize = 2, MaxQueueSize = null, LatencyTarget = TimeSpan.FromMilliseconds(1) });
        Assert.Equal(2, bench.Dispatcher.QueueLimit);
    }

    [Fact]
    public void Headroom_is_what_of_the_capacity_nobody_asks_for()
    {
        var (bench, worker) = Busy(options: new() { BatchSize = 2, MaxQueueSize = 1_000 });
        Assert.Equal(200, bench.Dispatcher.Load.CapacityPerSecond, 1.0);
        for (var i = 0; i < 3_000; i++)
        {
            bench.Time.Advance(TimeSpan.FromMilliseconds(20));
            bench.Admit();
            Finish(bench, worker);
        }

        Assert.InRange(bench.Dispatcher.Load.Headroom!.Value, 0.73, 0.77); // 50 of 200 a second
        Assert.InRange(bench.Dispatcher.Load.BatchFill, 0.4, 0.6);
        Assert.Null(new DispatcherBench(new()).Dispatcher.Load.Headroom);
    }

    [Fact]
    public void In_delayed_mode_deadlines_count_too()
    {
        var (bench, _) = Busy(options: new() { BatchSize = 2, Mode = BatchingMode.Delayed });
        Assert.Equal(AdmissionVerdict.TooLate, bench.Dispatcher.Admit(bench.New(deadline: TimeSpan.FromMilliseconds(2))).Verdict);
    }

    private static TimeSpan Predicted(DispatcherBench bench) => bench.Dispatcher.Load.PredictedWait;

    /// <summary>A worker that has learnt that any batch takes 10 ms, begun one of two rows just now, and has two more.</summary>
    private static (DispatcherBench Bench, WorkerSlot Worker) Busy(int measured = 10, DispatcherOptions? options = null)
    {
        var bench = new DispatcherBench(options ?? new() { BatchSize = 2 });
        for (var i = 0; i < measured; i++)
        {
            bench.Dispatcher.Cost.Learn(1, Batch.Ticks);
            bench.Dispatcher.Cost.Learn(2, Batch.Ticks);
        }

        var worker = bench.Dispatcher.AddWorker("worker", 4);
        bench.Begin(worker, bench.AdmitMany(4)[..2]);
        return (bench, worker);
    }

    private static ScheduledRequest[] Outstanding(WorkerSlot worker, RequestPlace place) => [.. worker.InFlight.Values.Where(r => r.Place == place)];

    /// <summary>All that the worker has is begun and answered; what waits takes its place.</summary>
    private static void Finish(DispatcherBench bench, WorkerSlot worker)
    {
        bench.Begin(worker, Outstanding(worker, RequestPlace.Sent));
        foreach (var request in Outstanding(worker, RequestPlace.Begun)) bench.Dispatcher.Complete(worker, request, new BatchTicks(0, Batch.Ticks, 0));
    }
}
