using System.Buffers.Binary;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Serve.Core.Memory;
using Serve.Core.Protocol;
using Serve.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting.Http2;

public sealed class StreamBodiesTests
{
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;
    private const int WindowBytes = 64 << 10;

    private static readonly byte[] Content = [.. Enumerable.Range(0, 40_000).Select(i => (byte)i)];

    [Fact]
    public async Task A_request_begins_when_its_message_is_where_its_worker_reads_it()
    {
        var bodies = SharedBodies.TryCreate(1 << 20);
        Assert.SkipWhen(bodies is null, "This system has no such memory.");
        bodies.Use();
        await using var stand = new FrameStand((_, length) => RequestPayload.Rent(length, bodies.TryTake(length)));
        var body = FrameStand.Message(Content);
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. Data(1, body[..10_000])]);
        Assert.Empty(stand.ReadByKestrel());
        await stand.SendAsync((byte[])[.. Data(1, body[10_000..20_000]), .. Data(1, body[20_000..30_000])]);
        Assert.Empty(stand.ReadByKestrel());
        await stand.SendAsync((byte[])[.. Data(1, body[30_000..]), .. Data(1, [], EndStream)]);
        Assert.Equal([FrameHead.Headers], stand.ReadByKestrel().Select(frame => frame.Head.Type));

        var (taken, _) = stand.Take(1);
        Assert.True(stand.ReadByKestrel().Single().Head is { Type: FrameHead.Data, EndsStream: true, Length: 0 });
        var read = await taken!.ReadAsync(TestContext.Current.CancellationToken);
        Assert.True(read.IsCompleted);
        var held = PlacedMessage.Hold(read.Buffer.Slice(5));
        Assert.Equal(Content, held!.Body.ToArray());
        Assert.NotNull(held.Shared);
        taken.AdvanceTo(read.Buffer.End);
        await taken.EndAsync();
        Assert.True(bodies.InUse > 0);
        held.Release();
        Assert.Equal(0, bodies.InUse);
    }

    [Fact]
    public async Task A_request_whose_message_takes_long_or_that_another_follows_begins_before()
    {
        await using var stand = new FrameStand((_, length) => RequestPayload.Rent(length));
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. Data(1, FrameStand.Message(Content)[..100])]);
        Assert.Empty(stand.ReadByKestrel());
        await stand.SendAsync((byte[])[.. Head(3), .. Data(3, FrameStand.Message(Content)[..100])]);
        Assert.Equal([1], stand.ReadByKestrel().Select(frame => frame.Head.Stream));
        stand.Beat();
        Assert.Empty(stand.ReadByKestrel());
        stand.Beat();
        var later = stand.ReadByKestrel();
        Assert.Equal(FrameHead.Headers, later.First(frame => frame.Head.Stream == 3).Head.Type);
    }

    [Fact]
    public async Task A_small_request_that_is_all_there_is_Kestrels()
    {
        await using var stand = new FrameStand((_, length) => RequestPayload.Rent(length));
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. Data(1, FrameStand.Message(1, 2, 3), EndStream)]);
        Assert.Equal([0, 0, 0, 0, 3, 1, 2, 3], stand.ReadByKestrel()[1].Payload);
        Assert.Null(stand.Take(1).Body);
    }

    [Fact]
    public async Task A_request_without_a_message_yet_begins_at_once()
    {
        await using var stand = new FrameStand((_, length) => RequestPayload.Rent(length));
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1)]);
        Assert.Single(stand.ReadByKestrel());
    }

    [Fact]
    public async Task A_message_that_is_not_read_leaves_nothing_behind()
    {
        var bodies = SharedBodies.TryCreate(1 << 20);
        Assert.SkipWhen(bodies is null, "This system has no such memory.");
        bodies.Use();
        await using (var stand = new FrameStand((_, length) => RequestPayload.Rent(length, bodies.TryTake(length))))
        {
            await stand.SendAsync((byte[])[.. FrameStand.Preface]);
            foreach (var stream in (int[])[1, 3, 5, 7]) await stand.SendAsync((byte[])[.. Head(stream), .. InFrames(stream, FrameStand.Message(Content)[..30_000])]);
            Assert.True(bodies.InUse > 100_000);
            await stand.Take(1).Body!.EndAsync();                                                  // answered without it
            await stand.SendAsync(FrameStand.Frame(FrameHead.Reset, 0, 3, new byte[4]));           // taken back
            Assert.Null(stand.Take(5, length: 40_005).Body);                                       // Kestrel's
            Assert.Equal(40_960, bodies.InUse);
        }

        Assert.Equal(0, bodies.InUse);
    }

    [Fact]
    public async Task A_client_may_send_again_what_somebody_waits_for_or_nobody_wants()
    {
        await using var stand = new FrameStand(windowBytes: WindowBytes);
        var body = FrameStand.Message(new byte[150_000]);
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. InFrames(1, body[..WindowBytes])]);
        var (taken, _) = stand.Take(1);
        var reading = FrameStand.ReadAllAsync(taken!);
        await AllowedAsync(stand, 1);
        await stand.SendAsync(InFrames(1, body[WindowBytes..(2 * WindowBytes)]));
        await AllowedAsync(stand, 1);
        await stand.SendAsync((byte[])[.. InFrames(1, body[(2 * WindowBytes)..]), .. Data(1, [], EndStream)]);
        Assert.Equal(body, await reading);
        await taken!.EndAsync();

        await stand.SendAsync((byte[])[.. Head(3), .. InFrames(3, body[..40_000])]);
        await stand.Take(3).Body!.EndAsync();
        await AllowedAsync(stand, 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_sends_more_than_it_may_is_cut_off(bool isTaken)
    {
        await using var stand = new FrameStand(windowBytes: WindowBytes);
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. InFrames(1, new byte[WindowBytes])]);
        stand.ReadByKestrel();
        if (isTaken) stand.Take(1);
        await stand.SendAsync(Data(1, [0]));
        await Assert.ThrowsAsync<ConnectionAbortedException>(async () => await stand.Transport.Input.ReadAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_waits_for_a_stream_that_breaks_off_hears_of_it_as_from_Kestrel(bool isReset)
    {
        await using var stand = new FrameStand();
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. Data(1, FrameStand.Message(Content)[..100])]);
        var kestrel = new Pipe();
        var (taken, _) = stand.Take(1, kestrel.Reader);
        var reading = taken!.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        if (isReset) await stand.SendAsync(FrameStand.Frame(FrameHead.Reset, 0, 1, new byte[4]));
        else stand.Close();
        await kestrel.Writer.CompleteAsync(new IOException("Kestrel's word"));
        Assert.Equal("Kestrel's word", (await Assert.ThrowsAsync<IOException>(() => reading)).Message);
        await taken.EndAsync();
    }

    [Fact]
    public async Task A_request_is_not_done_before_Kestrel_knows_that_its_body_has_ended()
    {
        await using var stand = new FrameStand();
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1)]);
        await stand.SendAsync(Data(1, FrameStand.Message(1), EndStream));
        var kestrel = new Pipe();
        var (taken, _) = stand.Take(1, kestrel.Reader);
        var ending = taken!.EndAsync().AsTask();
        Assert.False(ending.IsCompleted);
        await kestrel.Writer.CompleteAsync();
        await ending;
    }

    [Fact]
    public async Task A_body_that_comes_too_slowly_ends_its_stream_where_somebody_minds()
    {
        await using var stand = new FrameStand(slowest: new MinDataRate(1_000, TimeSpan.FromSeconds(2)));
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1)]);
        var (patient, of) = stand.Take(1);
        of.Features.Get<IHttpMinRequestBodyDataRateFeature>()!.MinDataRate = null;
        _ = patient!.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        Beat(10);
        Assert.Empty(stand.Ended);

        await stand.SendAsync(Head(3));
        var kestrel = new Pipe();
        var (taken, _) = stand.Take(3, kestrel.Reader);
        var reading = taken!.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        await stand.SendAsync(Data(3, FrameStand.Message(Content)[..3_500]));
        Beat(3);
        Assert.Empty(stand.Ended);
        Beat(1);
        Assert.Equal([3], stand.Ended);
        await kestrel.Writer.CompleteAsync(new IOException("ended"));
        await Assert.ThrowsAsync<IOException>(() => reading);

        void Beat(int seconds)
        {
            for (; seconds > 0; seconds--) stand.Beat();
        }
    }

    [Fact]
    public async Task A_client_that_cannot_send_is_not_slow()
    {
        await using var stand = new FrameStand(windowBytes: WindowBytes, slowest: new MinDataRate(1_000, TimeSpan.FromSeconds(2)));
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. InFrames(1, new byte[WindowBytes])]);
        stand.Take(1);
        await stand.SendAsync(Head(3));
        _ = stand.Take(3).Body!.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        for (var i = 0; i < 10; i++) stand.Beat();
        Assert.Empty(stand.Ended);
    }

    [Fact]
    public async Task What_belongs_to_a_request_that_is_held_back_stays_behind_its_beginning()
    {
        await using var stand = new FrameStand((_, length) => RequestPayload.Rent(length));
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. FrameStand.Frame(FrameHead.WindowUpdate, 0, 1, 0, 0, 0, 5), .. FrameStand.Frame(FrameHead.WindowUpdate, 0, 0, 0, 0, 0, 5), .. Data(1, FrameStand.Message(Content)[..100])]);
        Assert.Equal([0], stand.ReadByKestrel().Select(frame => frame.Head.Stream));
        await stand.SendAsync(FrameStand.Frame(FrameHead.GoAway, 0, 0, new byte[8]));
        Assert.Equal([FrameHead.Headers, FrameHead.WindowUpdate, FrameHead.GoAway], stand.ReadByKestrel().Select(frame => frame.Head.Type));
    }

    [Fact]
    public async Task Nothing_is_put_into_a_header_block()
    {
        await using var stand = new FrameStand();
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1)]);
        await stand.SendAsync((byte[])[.. Data(1, FrameStand.Message(1), EndStream), .. FrameStand.Frame(FrameHead.Headers, 0, 3, 0xAA)]);
        await stand.Take(1).Body!.EndAsync();
        Assert.Equal([(FrameHead.Headers, 1), (FrameHead.Headers, 3)], stand.ReadByKestrel().Select(frame => (frame.Head.Type, frame.Head.Stream)));
        await stand.SendAsync(FrameStand.Frame(FrameHead.Continuation, EndHeaders, 3, 0xAA));
        Assert.Equal([(FrameHead.Continuation, 3), (FrameHead.Data, 1)], stand.ReadByKestrel().Select(frame => (frame.Head.Type, frame.Head.Stream)));
    }

    [Fact]
    public async Task A_message_for_which_there_is_no_leave_is_not_waited_for()
    {
        await using var stand = new FrameStand((_, length) => RequestPayload.Rent(length), windowBytes: WindowBytes);
        await stand.SendAsync((byte[])[.. FrameStand.Preface, .. Head(1), .. InFrames(1, new byte[40_000])]);
        stand.Take(1);
        stand.ReadByKestrel();
        await stand.SendAsync((byte[])[.. Head(3), .. Data(3, FrameStand.Message(Content)[..100])]);
        Assert.Contains(stand.ReadByKestrel(), frame => frame.Head is { Type: FrameHead.Headers, Stream: 3 });
    }

    private static byte[] Head(int stream) => FrameStand.Frame(FrameHead.Headers, EndHeaders, stream, 0xAA);

    private static byte[] Data(int stream, byte[] bytes, byte flags = 0) => FrameStand.Frame(FrameHead.Data, flags, stream, bytes);

    private static byte[] InFrames(int stream, byte[] bytes) => [.. bytes.Chunk(FrameStand.MaxFrameBytes).SelectMany(piece => Data(stream, piece))];

    // Until the client hears of it, by how many frames ever.
    private static async Task AllowedAsync(FrameStand stand, int stream)
    {
        while (true)
        {
            var frames = await stand.ReadByClientAsync();
            Assert.All(frames, frame => Assert.Equal((FrameHead.WindowUpdate, 4), (frame.Head.Type, frame.Payload.Length)));
            Assert.All(frames, frame => Assert.InRange(BinaryPrimitives.ReadInt32BigEndian(frame.Payload), 1, 2 * WindowBytes));
            if (frames.Any(frame => frame.Head.Stream == stream)) return;
        }
    }
}
