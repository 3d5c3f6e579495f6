using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Workers;

namespace Serve.Tests.Core.Workers;

/// <summary>Answers in parts between the worker's frames and whoever writes them to the client.</summary>
public sealed class AnswerPartsTests : IDisposable
{
    private readonly TestScheduler _test = new(batchSize: 128);
    private readonly InferenceScheduler _scheduler;
    private readonly TestWorker _worker;

    public AnswerPartsTests()
    {
        (_scheduler, _worker) = (_test.Tested, _test.Worker);
        _test.AddWorker(credit: 256);
    }

    public void Dispose() => _test.Dispose();

    [Fact]
    public async Task Parts_stay_in_their_order_however_many_answers_a_chunk_brings()
    {
        var streams = Enumerable.Range(0, 4).Select(_ => Submit()).ToList();
        var others = Enumerable.Range(0, 100).Select(_ => Submit()).ToList();
        List<LinkEvent> chunk = [];
        for (byte part = 0; part < 50; part++)
        {
            for (ulong stream = 1; stream <= 4; stream++) chunk.Add(Part(stream, part, isLast: part == 49));
            chunk.Add(Part(5 + (ulong)part, part, isLast: true));
        }

        for (ulong id = 55; id <= 104; id++) chunk.Add(Part(id, 0, isLast: true));
        Apply(chunk);

        foreach (var stream in streams)
        {
            using var first = await stream;
            List<byte> bytes = [.. first.Body.Span];
            while (await first.Parts!.NextAsync() is { } part)
            {
                using (part) bytes.AddRange(part.Body.Span);
            }

            Assert.Equal(Enumerable.Range(0, 50).Select(i => (byte)i), bytes);
            Assert.Equal(50, first.Parts.Bytes);
        }

        foreach (var other in others) (await other).Dispose();
        Assert.Equal(0, _scheduler.PendingRequests);
    }

    [Fact]
    public async Task A_worker_hears_of_what_the_client_has_taken()
    {
        var stream = Submit();
        Assert.Equal([(FrameType.Run, 1UL, 0L)], _worker.Receive());
        Apply([Part(1, new byte[100 << 10]), Part(1, new byte[100 << 10])]);
        using var first = await stream;

        (await first.Parts!.NextAsync())!.Dispose();
        Assert.Equal([(FrameType.Taken, 1UL, PartWindow.CostOf(100 << 10))], _worker.Receive());
    }

    [Fact]
    public async Task A_worker_that_sends_more_than_there_is_room_for_loses_the_request()
    {
        var stream = Submit();
        _worker.Receive();
        Apply([Part(1, new byte[200 << 10]), Part(1, new byte[200 << 10]), Part(1, new byte[200 << 10]), Part(1, new byte[200 << 10])]);
        using var first = await stream;

        Assert.Equal(FrameType.Cancel, Assert.Single(_worker.Receive()).Type);
        (await first.Parts!.NextAsync())!.Dispose();
        var error = await Assert.ThrowsAsync<InternalServerException>(async () => await first.Parts.NextAsync());
        Assert.Contains("more parts than the client had room for", error.Message, StringComparison.Ordinal);
        Apply([new LinkEvent(FrameType.Output, 1, 0, IsLast: true, null, new ClientGoneException())]);
        Assert.Equal(0, _scheduler.PendingRequests);
    }

    [Fact]
    public async Task A_deadline_ends_a_stream_that_has_begun()
    {
        var stream = Submit();
        Apply([Begun(1), Part(1, 1)], 1);
        using var first = await stream;
        var next = first.Parts!.NextAsync();
        _test.Time.Advance(TimeSpan.FromSeconds(9));
        Apply([Part(1, 2)]);
        (await next)!.Dispose();
        next = first.Parts.NextAsync();
        _test.Time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(next.IsCompleted);
        Assert.Equal(TimeSpan.FromSeconds(9), _scheduler.OldestWorkAge(_worker));

        _test.Time.Advance(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAsync<ResponseTimeoutException>(async () => await next);
        Assert.Contains((FrameType.Cancel, 1UL, 0L), _worker.Receive());
    }

    [Fact]
    public async Task A_client_that_leaves_ends_its_stream_once()
    {
        using var client = new CancellationTokenSource();
        var stream = _test.Submit(isClients: false, clientGone: client.Token);
        Apply([Part(1, 1)]);
        using var first = await stream;
        _worker.Receive();

        await client.CancelAsync();
        await Assert.ThrowsAsync<ClientGoneException>(async () => await first.Parts!.NextAsync());
        Assert.Equal([(FrameType.Cancel, 1UL, 0L)], _worker.Receive());
        Apply([Part(1, 2), new LinkEvent(FrameType.Output, 1, 0, IsLast: true, null, new ClientGoneException())]);
        Assert.Equal(0, _scheduler.PendingRequests);
    }

    [Fact]
    public async Task Whoever_stops_writing_a_stream_stops_it()
    {
        var stream = Submit();
        Apply([Part(1, 1), Part(1, 2)]);
        _worker.Receive();
        (await stream).Dispose();
        Assert.Equal([(FrameType.Cancel, 1UL, 0L)], _worker.Receive());
    }

    [Fact]
    public async Task A_worker_that_is_lost_ends_its_streams()
    {
        var stream = Submit();
        Apply([Begun(1), Part(1, 1)], 1);
        using var first = await stream;
        Assert.False(_scheduler.RemoveWorker(_worker, WorkerLossReason.Crashed, out var failed));
        _scheduler.FailLost(failed, WorkerLossReason.Crashed, "worker 9000: it was killed (signal 9)");

        var error = await Assert.ThrowsAsync<WorkerDiedException>(async () => await first.Parts!.NextAsync());
        Assert.EndsWith("it was killed (signal 9), in the middle of the answer.", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, _scheduler.PendingRequests);
    }

    [Fact]
    public async Task A_failure_before_the_first_part_is_counted_in_its_place_if_a_worker_had_the_request()
    {
        _scheduler.CountResponses();
        var atWorker = Enumerable.Range(0, 256).Select(_ => Submit()).ToList();
        var queued = Submit();
        Assert.Equal(1, _scheduler.QueuedRequests);
        _test.Time.Advance(TimeSpan.FromSeconds(11));
        foreach (var late in atWorker) await Assert.ThrowsAsync<ResponseTimeoutException>(() => late);
        await Assert.ThrowsAsync<ResponseTimeoutException>(() => queued);
        Assert.Equal(new Tally(256, TimeSpan.FromSeconds(256 * 11)), Failed());

        // What the worker says of them afterwards is of no new failure.
        for (ulong id = 1; id <= 256; id++) Apply([new LinkEvent(FrameType.Output, id, 0, IsLast: true, null, new ResponseTimeoutException("late"))]);
        Assert.Equal(0, _scheduler.PendingRequests);
        Assert.Equal(256, Failed().Count);

        var stuck = Submit();
        Apply([Begun(1)], 258);
        _scheduler.RemoveWorker(_worker, WorkerLossReason.TimedOut, out var failed);
        _scheduler.FailLost(failed, WorkerLossReason.TimedOut, "worker 9000: it was killed");
        await Assert.ThrowsAsync<ResponseTimeoutException>(() => stuck);
        Assert.Equal(257, Failed().Count);

        Tally Failed() => Assert.Single(_scheduler.Responses!.Read()).Fail;
    }

    private static LinkEvent Part(ulong id, byte content, bool isLast = false) => Part(id, [content], isLast);

    private static LinkEvent Part(ulong id, byte[] content, bool isLast = false)
    {
        var response = InferenceResponse.Rent(200, null, [], default);
        response.Append(content);
        return new LinkEvent(FrameType.Output, id, 0, isLast, response, null);
    }

    private static LinkEvent Begun(int count) => new(FrameType.Begun, 1, count, false, null, null);

    private Task<InferenceResponse> Submit() => _test.Submit(isClients: false);

    private void Apply(List<LinkEvent> chunk, params List<ulong> ids) => _test.Say(chunk, ids);
}
