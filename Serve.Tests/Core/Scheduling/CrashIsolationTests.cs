using Serve.Core.Scheduling;

namespace Serve.Tests.Core.Scheduling;

public sealed class CrashIsolationTests
{
    [Fact]
    public void What_had_not_begun_is_innocent_and_what_ran_is_tried_again_in_halves()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var dead = bench.Dispatcher.AddWorker("dead", credit: 8);
        var requests = bench.AdmitMany(8);
        bench.Begin(dead, requests[..4]);

        Assert.Empty(bench.Lose(dead));
        Assert.All(requests[..4], r => Assert.Equal(RequestPlace.Quarantined, r.Place));
        Assert.All(requests[4..], r => Assert.Equal(RequestPlace.Queued, r.Place));
        Assert.Equal(4, bench.Dispatcher.QuarantinedRequests);

        bench.Sent.Clear();
        var next = bench.Dispatcher.AddWorker("next", credit: 8);
        Assert.Equal([(1UL, true), (2UL, false)], bench.Sent.Select(s => (s.Id, s.More)));
        Assert.True(next.IsIsolating);

        bench.Begin(next, requests[..2]);
        bench.Dispatcher.Complete(next, requests[0]);
        Assert.Equal(2, bench.Sent.Count); // not before the whole group is done
        bench.Dispatcher.Complete(next, requests[1]);
        Assert.Equal([5UL, 6, 7, 8], bench.SentIds.Skip(2)); // ordinary requests' turn
        Assert.False(next.IsIsolating);

        foreach (var request in requests[4..]) bench.Dispatcher.Complete(next, request);
        Assert.Equal([3UL, 4], bench.SentIds.Skip(6));
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(2, 4)]
    [InlineData(8, 6)]
    [InlineData(32, 8)]
    public void The_culprit_is_found_fails_alone_and_its_neighbours_succeed(int batch, int deathsAllowed)
    {
        for (var culprit = 0; culprit < batch; culprit++)
        {
            var bench = new DispatcherBench(new() { BatchSize = batch });
            bench.Dispatcher.AddWorker("w", credit: 2 * batch);
            var requests = bench.AdmitMany(batch);
            var poison = requests[culprit];
            List<ScheduledRequest> failed = [];
            var deaths = 0;

            while (requests.Any(r => r.Place != RequestPlace.Nowhere))
            {
                var worker = bench.Dispatcher.Workers[0];
                var running = requests.Where(r => r.Worker == worker).ToArray();
                bench.Begin(worker, running);
                if (running.Contains(poison))
                {
                    deaths++;
                    failed.AddRange(bench.Lose(worker, WorkerLossReason.Crashed, out var explained));
                    Assert.Equal(deaths > 1, explained);
                    bench.Dispatcher.AddWorker("w", credit: 2 * batch);
                }
                else
                {
                    foreach (var request in running) bench.Dispatcher.Complete(worker, request);
                }
            }

            Assert.Equal([poison], failed);
            Assert.Equal(3, poison.SoloDeaths);
            Assert.InRange(deaths, 3, deathsAllowed);
        }
    }

    [Fact]
    public void While_others_serve_one_worker_is_kept_for_suspects_and_its_waiting_rows_are_recalled()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var dead = bench.Dispatcher.AddWorker("dead", credit: 2);
        var suspects = bench.AdmitMany(2);
        bench.Begin(dead, suspects);
        var a = bench.Dispatcher.AddWorker("a", credit: 4);
        var b = bench.Dispatcher.AddWorker("b", credit: 4);
        var others = bench.AdmitMany(12);
        var atA = others.Where(r => r.Worker == a).ToArray();
        bench.Begin(a, atA[..2]);

        bench.Lose(dead);
        Assert.Equal([(a, 2)], bench.Recalls);
        bench.Return(a, atA[2..]);
        bench.Sent.Clear();
        bench.Dispatcher.Complete(a, atA[0]);
        Assert.Empty(bench.Sent); // a is kept free, though it has credit
        bench.Dispatcher.Complete(a, atA[1]);
        Assert.Equal([(a, 1UL, false)], bench.Sent);

        bench.Dispatcher.Complete(b, others.First(r => r.Worker == b));
        Assert.Equal((b, atA[2].Id, false), bench.Sent[^1]);
        bench.Dispatcher.Complete(a, suspects[0]);
        Assert.Equal((a, 2UL, false), bench.Sent[^1]); // the other half follows on the same worker
    }

    [Fact]
    public void A_batch_that_took_too_long_fails_and_the_others_of_its_worker_run_elsewhere()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var stuck = bench.Dispatcher.AddWorker("stuck", credit: 6);
        var requests = bench.AdmitMany(5);
        bench.Begin(stuck, requests[..2]);
        var begun = bench.Time.GetTimestamp();
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        bench.Begin(stuck, requests[2..4]); // a second instance
        Assert.Equal(begun, stuck.OldestProgressTimestamp);

        Assert.Equal(requests[..2], bench.Lose(stuck, WorkerLossReason.TimedOut));
        Assert.All(requests[2..], r => Assert.Equal(RequestPlace.Queued, r.Place));
    }

    [Fact]
    public void Stopping_a_worker_makes_nobody_suspect()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 4);
        var requests = bench.AdmitMany(3);
        bench.Begin(worker, requests[..2]);

        Assert.Empty(bench.Lose(worker, WorkerLossReason.Stopped));
        Assert.All(requests, r => Assert.Equal(RequestPlace.Queued, r.Place));
    }

    [Fact]
    public void A_group_whose_worker_was_stopped_is_tried_again_undivided()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 8);
        var requests = bench.AdmitMany(4);
        bench.Begin(worker, requests);
        bench.Lose(worker);
        worker = bench.Dispatcher.AddWorker("w", credit: 8);
        bench.Begin(worker, requests[..2]);

        bench.Sent.Clear();
        bench.Lose(worker, WorkerLossReason.Stopped);
        bench.Dispatcher.AddWorker("w", credit: 8);
        Assert.Equal([1UL, 2], bench.SentIds);
    }

    [Fact]
    public void A_request_whose_answer_had_started_is_not_run_again()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 4);
        var requests = bench.AdmitMany(2);
        bench.Begin(worker, requests);
        requests[1].AnswerStarted = true;

        Assert.Equal([requests[1]], bench.Lose(worker, WorkerLossReason.Stopped));
        Assert.Equal(RequestPlace.Queued, requests[0].Place);
    }

    [Fact]
    public void A_request_that_kills_workers_while_it_is_decoded_is_found_too()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var requests = bench.AdmitMany(4);
        List<ScheduledRequest> failed = [];
        var deaths = 0;
        while (requests.Any(r => r.Place != RequestPlace.Nowhere))
        {
            var worker = bench.Dispatcher.AddWorker("w", credit: 8);
            while (requests.Any(r => r.Worker == worker) && requests[2].Worker != worker)
            {
                foreach (var request in requests.Where(r => r.Worker == worker).ToArray()) bench.Dispatcher.Complete(worker, request);
            }

            if (requests[2].Worker == worker) deaths++;
            failed.AddRange(bench.Lose(worker));
        }

        Assert.Equal([requests[2]], failed);
        Assert.InRange(deaths, 5, 7);
    }

    [Fact]
    public void A_suspect_leaves_the_quarantine_by_its_deadline_or_when_its_client_goes()
    {
        var bench = new DispatcherBench(new() { BatchSize = 4 });
        var dead = bench.Dispatcher.AddWorker("dead", credit: 4);
        var late = bench.Admit(deadline: TimeSpan.FromSeconds(1));
        var gone = bench.Admit();
        bench.Begin(dead, late, gone);
        var busy = bench.Dispatcher.AddWorker("busy", credit: 4);
        var running = bench.AdmitMany(2);
        bench.Lose(dead);
        Assert.Equal(RequestPlace.Queued, bench.Admit().Place); // kept free for the suspects

        Assert.True(bench.Dispatcher.Remove(gone));
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([late], bench.CollectLate());
        Assert.Equal(0, bench.Dispatcher.QuarantinedRequests);
        Assert.Equal(0, bench.Dispatcher.QueuedRequests); // and free for everybody again
        Assert.Equal(3, busy.OutstandingRows);
        Assert.All(running, r => Assert.Same(busy, r.Worker));
    }

    [Fact]
    public void A_model_on_which_everything_dies_is_blamed_itself_in_the_end()
    {
        var bench = new DispatcherBench(new() { BatchSize = 16 });
        var requests = bench.AdmitMany(16);
        List<bool> verdicts = [];
        while (requests.Any(r => r.Place != RequestPlace.Nowhere))
        {
            var worker = bench.Dispatcher.AddWorker("w", credit: 32);
            bench.Begin(worker, requests.Where(r => r.Worker == worker));
            bench.Lose(worker, WorkerLossReason.Crashed, out var explained);
            verdicts.Add(explained);
        }

        Assert.False(verdicts[0]);
        Assert.All(verdicts[1..7], Assert.True);
        Assert.All(verdicts[7..], Assert.False);
    }
}
