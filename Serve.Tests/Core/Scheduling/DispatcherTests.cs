using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

public sealed class DispatcherTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void A_request_goes_to_an_idle_worker_at_once_and_others_as_far_as_credit_reaches()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 4);

        bench.AdmitMany(6);

        Assert.Equal([1UL, 2, 3, 4], bench.SentIds);
        Assert.All(bench.Sent, s => Assert.False(s.More));
        Assert.Equal(4, worker.OutstandingRows);
        Assert.Equal(2, bench.Dispatcher.QueuedRequests);
    }

    [Fact]
    public void An_answer_frees_credit_for_the_next_in_line()
    {
        var bench = new DispatcherBench(new());
        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        var requests = bench.AdmitMany(3);

        bench.Begin(worker, requests[0]);
        Assert.Equal(RequestPlace.Begun, requests[0].Place);
        bench.Dispatcher.Complete(worker, requests[0]);

        Assert.Equal(RequestPlace.Nowhere, requests[0].Place);
        Assert.Null(requests[0].Worker);
        Assert.Equal(RequestPlace.Sent, requests[1].Place);
        Assert.Equal(RequestPlace.Queued, requests[2].Place);
    }

    [Fact]
    public void A_full_queue_refuses_and_what_finds_credit_does_not_count()
    {
        var bench = new DispatcherBench(new() { MaxQueueSize = 2 });
        bench.Dispatcher.AddWorker("w", credit: 3);
        bench.AdmitMany(5);

        var refused = bench.New();
        Assert.False(bench.Dispatcher.Admit(refused).IsAdmitted);
        Assert.Equal(RequestPlace.Nowhere, refused.Place);
        Assert.Equal(2, bench.Dispatcher.QueuedRequests);
    }

    [Fact]
    public void A_request_of_several_rows_counts_as_that_many_but_one_may_always_wait()
    {
        var bench = new DispatcherBench(new() { MaxQueueSize = 3, BatchSize = 8 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 8);
        var running = bench.Admit(rows: 8);

        bench.Admit(rows: 5);
        Assert.False(bench.Dispatcher.Admit(bench.New()).IsAdmitted);
        bench.Begin(worker, running);
        bench.Dispatcher.Complete(worker, running);
        Assert.Equal(5, worker.OutstandingRows);

        bench.Admit(rows: 3);
        bench.Admit(rows: 3); // the one before it has gone to the worker
        Assert.False(bench.Dispatcher.Admit(bench.New()).IsAdmitted);
    }

    [Fact]
    public void A_queue_of_size_zero_takes_what_can_be_sent_and_nothing_else()
    {
        var bench = new DispatcherBench(new() { MaxQueueSize = 0 });
        bench.Dispatcher.AddWorker("w", credit: 1);

        bench.Admit();
        Assert.False(bench.Dispatcher.Admit(bench.New()).IsAdmitted);
    }

    [Fact]
    public void An_idle_worker_comes_before_a_busy_one_and_then_the_one_with_the_fewest_rows()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var first = bench.Dispatcher.AddWorker("first", 8);
        var second = bench.Dispatcher.AddWorker("second", 8);

        bench.Admit(rows: 3);
        bench.Admit();
        bench.Admit();
        bench.Admit(rows: 2);
        bench.Admit();

        Assert.Equal([first, second, second, second, first], bench.Sent.Select(s => s.Worker));
    }

    [Fact]
    public void Of_two_busy_workers_the_one_that_will_be_free_first_gets_a_request()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var first = bench.Dispatcher.AddWorker("first", 8);
        TeachBatchTime(bench, first, TimeSpan.FromMilliseconds(10));
        var second = bench.Dispatcher.AddWorker("second", 8);
        bench.Begin(first, bench.Admit());
        bench.Time.Advance(TimeSpan.FromMilliseconds(4));
        bench.Begin(second, bench.Admit());

        Assert.All(bench.AdmitMany(4), r => Assert.Same(first, r.Worker)); // its next batch is full then
        Assert.Same(second, bench.Admit().Worker);
    }

    [Fact]
    public void A_worker_that_is_stuck_in_its_batch_soon_attracts_nobody()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var stuck = bench.Dispatcher.AddWorker("stuck", 8);
        TeachBatchTime(bench, stuck, TimeSpan.FromMilliseconds(10));
        var other = bench.Dispatcher.AddWorker("other", 8);
        bench.Begin(stuck, bench.Admit());
        bench.Time.Advance(TimeSpan.FromMilliseconds(40));
        bench.Begin(other, bench.Admit());

        Assert.Same(other, bench.Admit().Worker);
    }

    [Fact]
    public void A_new_worker_and_a_grant_take_what_waits()
    {
        var bench = new DispatcherBench(new());
        bench.AdmitMany(3);

        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        Assert.Equal([1UL], bench.SentIds);
        bench.Dispatcher.Grant(worker, 2);
        Assert.Equal([1UL, 2, 3], bench.SentIds);
    }

    [Fact]
    public void A_request_with_more_rows_than_the_credit_goes_to_an_idle_worker_only()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 4);
        var small = bench.Admit();
        var large = bench.Admit(rows: 9);
        Assert.Equal(RequestPlace.Queued, large.Place);

        bench.Dispatcher.Complete(worker, small);
        Assert.Equal(RequestPlace.Sent, large.Place);
        Assert.Equal(RequestPlace.Queued, bench.Admit().Place);
    }

    [Fact]
    public void Lanes_are_served_by_priority_and_in_order_within()
    {
        var bench = new DispatcherBench(new() { Lanes = 3 });
        bench.Admit(lane: 2);
        bench.Admit(lane: 1);
        bench.Admit(lane: 0);
        bench.Admit(lane: 1);
        bench.Admit(lane: 7); // beyond the last: the last
        bench.Admit(lane: 0);

        bench.Dispatcher.AddWorker("w", credit: 6);
        Assert.Equal([3UL, 6, 2, 4, 1, 5], bench.SentIds);
    }

    [Fact]
    public void A_lane_that_waits_too_long_goes_first_for_one_batch()
    {
        var bench = new DispatcherBench(new() { Lanes = 2, BatchSize = 2, StarvationLimit = Second });
        for (var i = 0; i < 3; i++) bench.Admit(lane: 1);
        for (var i = 0; i < 5; i++) bench.Admit(lane: 0);
        bench.Time.Advance(Second);

        bench.Dispatcher.AddWorker("w", credit: 4);
        Assert.Equal([1UL, 2, 4, 5], bench.SentIds);
    }

    [Fact]
    public void The_first_lane_goes_on_where_every_other_one_has_waited_too_long()
    {
        const int Lanes = 4;
        var batch = TimeSpan.FromMilliseconds(400); // three lifts take longer than the limit
        var bench = new DispatcherBench(new() { Lanes = Lanes, BatchSize = 2, MaxQueueSize = 1000, StarvationLimit = Second });
        for (var i = 0; i < 100; i++)
        {
            for (var lane = 0; lane < Lanes; lane++) bench.Admit(lane);
        }

        var worker = bench.Dispatcher.AddWorker("w", credit: 2);
        List<int> lanes = [];
        for (var i = 0; i < 50; i++)
        {
            var running = worker.InFlight.Values.ToList();
            Assert.Equal(2, running.Count);
            lanes.Add(Assert.Single(running.Select(r => r.Lane).Distinct()));
            bench.Begin(worker, running);
            bench.Time.Advance(batch);
            foreach (var request in running) bench.Dispatcher.Complete(worker, request);
        }

        // Half for the first, and the others in turn: a second and two batches for each of them at most.
        Assert.InRange(lanes.Count(lane => lane == 0), 25, 30);
        for (var lane = 1; lane < Lanes; lane++)
        {
            Assert.InRange(lanes.Count(other => other == lane), 6, 9);
            Assert.True(Longest(lane) * batch <= Second + 2 * (Lanes - 1) * batch, $"Lane {lane} waited for {Longest(lane)} batches.");
        }

        int Longest(int lane)
        {
            var (longest, waited) = (0, 0);
            foreach (var other in lanes)
            {
                waited = other == lane ? 0 : waited + 1;
                longest = Math.Max(longest, waited);
            }

            return longest;
        }
    }

    [Fact]
    public void What_a_worker_answers_beside_its_batches_is_no_load_and_teaches_nothing()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 8);
        for (var i = 0; i < 10; i++)
        {
            var question = bench.New();
            question.IsAside = true;
            Assert.True(bench.Dispatcher.Admit(question).IsAdmitted);
            Assert.Equal(0, bench.Dispatcher.Begun(worker, [question.Id]));
            Assert.Equal(RequestPlace.Begun, question.Place); // if the worker dies now, it is known of what
            bench.Dispatcher.Complete(worker, question, new BatchTicks(0, 0, 0));
        }

        Assert.Equal((0, 0), (bench.Dispatcher.Load.ArrivalsPerSecond, bench.Dispatcher.Load.BatchFill));
        Assert.Equal(0, bench.Dispatcher.Cost.Mean(1));
        Assert.False(bench.Dispatcher.Cost.HasEvidence);
        Assert.Empty(bench.Dispatcher.Executed.Sizes());
        Assert.Equal(0, bench.Dispatcher.OutstandingRows);
    }

    [Fact]
    public void Returned_requests_go_back_to_their_old_place()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 4);
        var requests = bench.AdmitMany(6);
        bench.Dispatcher.Drain(worker);

        bench.Return(worker, requests[3], requests[1], requests[2]);
        Assert.All(requests[1..], r => Assert.Equal(RequestPlace.Queued, r.Place));
        Assert.Null(requests[1].Worker);

        bench.Dispatcher.AddWorker("other", credit: 5);
        Assert.Equal([2UL, 3, 4, 5, 6], bench.SentIds.Skip(4));
    }

    [Fact]
    public void An_idle_worker_recalls_half_of_what_a_busy_one_has_not_begun()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var busy = bench.Dispatcher.AddWorker("busy", credit: 8);
        TeachBatchTime(bench, busy, TimeSpan.FromMilliseconds(10));
        var requests = bench.AdmitMany(8);
        bench.Begin(busy, requests[..4]);

        var idle = bench.Dispatcher.AddWorker("idle", credit: 8);
        Assert.Equal([(busy, 2)], bench.Recalls);
        bench.Dispatcher.Wake();
        Assert.Single(bench.Recalls);

        bench.Return(busy, requests[6..]);
        Assert.All(requests[6..], r => Assert.Same(idle, r.Worker));
        Assert.Single(bench.Recalls);
    }

    [Fact]
    public void Nothing_is_recalled_where_batches_are_shorter_than_a_recall_is_worth()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var busy = bench.Dispatcher.AddWorker("busy", credit: 8);
        TeachBatchTime(bench, busy, TimeSpan.FromMilliseconds(1));
        bench.Begin(busy, bench.AdmitMany(8)[..4]);

        bench.Dispatcher.AddWorker("idle", credit: 8);
        Assert.Empty(bench.Recalls);
    }

    [Fact]
    public void A_worker_that_has_nothing_to_give_back_is_not_asked_again_before_its_next_batch()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var busy = bench.Dispatcher.AddWorker("busy", credit: 6);
        TeachBatchTime(bench, busy, TimeSpan.FromMilliseconds(10));
        var requests = bench.AdmitMany(6);
        bench.Begin(busy, requests[..2]);
        bench.Dispatcher.AddWorker("idle", credit: 4);

        bench.Return(busy);
        bench.Dispatcher.Wake();
        Assert.Single(bench.Recalls);

        bench.Begin(busy, requests[2..4]);
        Assert.Equal(2, bench.Recalls.Count);
    }

    [Fact]
    public void A_draining_worker_gets_nothing_and_gives_back_what_it_has_not_begun()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var leaving = bench.Dispatcher.AddWorker("leaving", credit: 4);
        var staying = bench.Dispatcher.AddWorker("staying", credit: 4);
        var requests = bench.AdmitMany(8);
        var atLeaving = requests.Where(r => r.Worker == leaving).ToArray();
        bench.Begin(leaving, atLeaving[..2]);

        bench.Dispatcher.Drain(leaving);
        Assert.Equal([(leaving, 2)], bench.Recalls);
        bench.Return(leaving, atLeaving[2..]);
        bench.Dispatcher.Complete(leaving, atLeaving[0]);
        bench.Dispatcher.Complete(leaving, atLeaving[1]);

        Assert.Equal(0, leaving.OutstandingRows);
        Assert.All(atLeaving[2..], r => Assert.Equal(RequestPlace.Queued, r.Place));
        bench.Dispatcher.Complete(staying, requests.First(r => r.Worker == staying));
        Assert.Same(staying, atLeaving[2].Worker);
    }

    [Fact]
    public void The_last_worker_finishes_what_it_has_when_drained()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 4);
        bench.AdmitMany(3);
        bench.Dispatcher.Drain(worker);
        Assert.Empty(bench.Recalls);
    }

    [Fact]
    public void A_client_that_leaves_the_queue_is_gone_and_one_at_a_worker_stays_accounted_for()
    {
        var bench = new DispatcherBench(new());
        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        var sent = bench.Admit();
        var queued = bench.Admit();

        Assert.True(bench.Dispatcher.Remove(queued));
        Assert.Equal(RequestPlace.Nowhere, queued.Place);
        Assert.Equal(0, bench.Dispatcher.QueuedRows);

        Assert.False(bench.Dispatcher.Remove(sent));
        Assert.True(sent.IsAbandoned);
        Assert.Equal(1, worker.OutstandingRows);
        bench.Return(worker, sent);
        Assert.Equal(RequestPlace.Nowhere, sent.Place);
        Assert.Equal([sent.Id], bench.Released);
        Assert.Equal(0, bench.Dispatcher.QueuedRequests);
    }

    [Fact]
    public void A_request_past_its_deadline_is_collected_once_and_never_sent()
    {
        var bench = new DispatcherBench(new());
        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        var running = bench.Admit(deadline: 2 * Second);
        var waiting = bench.Admit(deadline: Second);
        var patient = bench.Admit();
        Assert.Equal(waiting.DeadlineTimestamp, bench.Dispatcher.NextWakeup);

        bench.Time.Advance(Second);
        bench.Dispatcher.Complete(worker, running);
        Assert.Same(worker, patient.Worker);
        Assert.Equal([waiting], bench.CollectLate());
        Assert.Empty(bench.CollectLate());
        Assert.Equal(long.MaxValue, bench.Dispatcher.NextWakeup);
    }

    [Fact]
    public void A_late_request_at_a_worker_is_reported_and_abandoned()
    {
        var bench = new DispatcherBench(new());
        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        var request = bench.Admit(deadline: Second);
        bench.Begin(worker, request);

        bench.Time.Advance(Second);
        Assert.Equal([request], bench.CollectLate());
        Assert.True(request.IsAbandoned);
        Assert.Same(worker, request.Worker);
        Assert.Empty(bench.Lose(worker));
        Assert.Equal([request.Id], bench.Released);
        Assert.Equal(0, bench.Dispatcher.QuarantinedRequests);
    }

    [Fact]
    public void An_object_can_carry_another_request_after_its_end()
    {
        var bench = new DispatcherBench(new());
        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        var request = bench.Admit();
        Assert.Throws<InvalidOperationException>(() => bench.Dispatcher.Admit(request));
        bench.Dispatcher.Remove(request);
        bench.Dispatcher.Complete(worker, request);

        request.Id = 77;
        Assert.True(bench.Dispatcher.Admit(request).IsAdmitted);
        Assert.False(request.IsAbandoned);
        Assert.Same(request, worker.Find(77));
    }

    [Fact]
    public void Placing_and_answering_a_request_allocates_nothing()
    {
        var sink = new SilentSink();
        var dispatcher = new Dispatcher(new() { BatchSize = 8 }, TimeProvider.System, sink);
        var worker = dispatcher.AddWorker("w", credit: 16);
        var requests = new TestRequest[32];
        for (var i = 0; i < requests.Length; i++) requests[i] = new TestRequest { Id = (ulong)i, DeadlineTimestamp = long.MaxValue - 1 };
        Run(); // grows what grows

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 100; round++) Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            foreach (var request in requests) dispatcher.Admit(request);
            foreach (var request in requests)
            {
                dispatcher.Begun(worker, [request.Id]);
                dispatcher.Complete(worker, request);
            }
        }
    }

    private static void TeachBatchTime(DispatcherBench bench, WorkerSlot worker, TimeSpan time)
    {
        var request = bench.Admit();
        bench.Begin(worker, request);
        bench.Time.Advance(time);
        bench.Dispatcher.Complete(worker, request);
    }

    private sealed class SilentSink : IDispatchSink
    {
        public void Send(WorkerSlot worker, ScheduledRequest request, bool more)
        {
        }

        public void Recall(WorkerSlot worker, int rows)
        {
        }
    }
}
