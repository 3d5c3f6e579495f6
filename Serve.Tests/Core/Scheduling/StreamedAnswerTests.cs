namespace Serve.Tests.Core.Scheduling;

/// <summary>What answers in parts change for the dispatcher.</summary>
public sealed class StreamedAnswerTests
{
    private static readonly long PartTimeout = TimeSpan.FromSeconds(10).Ticks;

    [Fact]
    public void Each_part_gives_the_next_one_as_much_time_again()
    {
        var bench = new DispatcherBench(new());
        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        var request = Admit(bench, partsMoveDeadline: true);
        bench.Begin(worker, request);
        for (var i = 0; i < 5; i++)
        {
            bench.Time.Advance(TimeSpan.FromSeconds(9));
            Assert.Empty(bench.CollectLate());
            bench.Dispatcher.Streamed(worker, request, PartTimeout);
        }

        bench.Time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal([request], bench.CollectLate());
        Assert.True(request.IsAbandoned);
    }

    [Fact]
    public void A_clients_own_deadline_stays_where_it_is()
    {
        var bench = new DispatcherBench(new());
        var worker = bench.Dispatcher.AddWorker("w", credit: 1);
        var request = Admit(bench, partsMoveDeadline: false);
        bench.Begin(worker, request);
        bench.Time.Advance(TimeSpan.FromSeconds(9));
        bench.Dispatcher.Streamed(worker, request, PartTimeout);
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([request], bench.CollectLate());
    }

    [Fact]
    public void A_batch_is_as_old_as_its_last_part()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 6);
        var requests = bench.AdmitMany(4);
        bench.Begin(worker, requests[..2]);
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        bench.Begin(worker, requests[2..]);

        // Parts of the younger batch say nothing of the older one, and are known when that one has ended.
        var begun = worker.OldestProgressTimestamp;
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        bench.Dispatcher.Streamed(worker, requests[2], PartTimeout);
        var partOfYounger = bench.Time.GetTimestamp();
        Assert.Equal(begun, worker.OldestProgressTimestamp);
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        bench.Dispatcher.Streamed(worker, requests[0], PartTimeout);
        Assert.Equal(bench.Time.GetTimestamp(), worker.OldestProgressTimestamp);
        bench.Dispatcher.Complete(worker, requests[0]);
        bench.Dispatcher.Complete(worker, requests[1]);
        Assert.Equal(partOfYounger, worker.OldestProgressTimestamp);

        // One that nobody waits for any more has time to end, too.
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(bench.Dispatcher.Remove(requests[2]));
        Assert.Equal(bench.Time.GetTimestamp(), worker.OldestProgressTimestamp);
    }

    [Fact]
    public void A_slot_of_the_device_is_free_after_the_last_stream_of_its_batch()
    {
        var bench = new DispatcherBench(new() { BatchSize = 2 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 4);
        var requests = bench.AdmitMany(2);
        bench.Begin(worker, requests);
        bench.Dispatcher.Streamed(worker, requests[0], PartTimeout);
        bench.Dispatcher.Streamed(worker, requests[1], PartTimeout);
        bench.Time.Advance(TimeSpan.FromSeconds(1));
        bench.Dispatcher.Complete(worker, requests[0]);
        Assert.Equal((1, 1), (worker.OutstandingRows, worker.Running.Count));

        bench.Time.Advance(TimeSpan.FromSeconds(1));
        bench.Dispatcher.Complete(worker, requests[1]);
        Assert.Equal((0, 0), (worker.OutstandingRows, worker.Running.Count));
    }

    [Fact]
    public void How_long_streams_take_refuses_nobody()
    {
        var bench = new DispatcherBench(new() { BatchSize = 1 });
        var worker = bench.Dispatcher.AddWorker("w", credit: 2);
        for (var i = 0; i < 100; i++)
        {
            var stream = bench.Admit();
            bench.Begin(worker, stream);
            bench.Dispatcher.Streamed(worker, stream, PartTimeout);
            bench.Time.Advance(TimeSpan.FromMinutes(1));
            bench.Dispatcher.Complete(worker, stream);
        }

        bench.AdmitMany(2);
        bench.Admit(deadline: TimeSpan.FromSeconds(5));
    }

    private static TestRequest Admit(DispatcherBench bench, bool partsMoveDeadline)
    {
        var request = bench.New(deadline: TimeSpan.FromSeconds(10));
        request.PartsMoveDeadline = partsMoveDeadline;
        Assert.True(bench.Dispatcher.Admit(request).IsAdmitted);
        return request;
    }
}
