using System.Buffers;
using System.Net.Sockets;
using Serve.Core.Handlers;
using Serve.Core.Protocol;

namespace Serve.Tests.Core.Protocol;

public sealed class FrameLinkTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Frames_of_every_size_arrive_whole_and_in_order()
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        int[] sizes = [0, 1, 15, 16, 17, 8191, 8192, 8193, 16_383, 16_384, 16_385, 65_519, 65_520, 65_521, 300_000, 0, 3, 2_000_000, 7];
        var received = Task.Run(() => ReadAll(sockets.Far, sizes.Length), TestContext.Current.CancellationToken);

        for (var i = 0; i < sizes.Length; i++)
        {
            var body = Pattern(i, sizes[i]);
            var pooled = ArrayPool<byte>.Shared.Rent(body.Length + 1);
            body.AsSpan(3 * body.Length / 4).CopyTo(pooled);
            sender.EnqueuePooled(FrameType.Output, FrameHeader.Last, (ulong)i, body.AsSpan(0, 3 * body.Length / 4), pooled, body.Length - (3 * body.Length / 4));
            sender.Flush(onThisThread: i % 2 == 0);
        }

        var frames = await received.WaitAsync(Limit, TestContext.Current.CancellationToken);
        for (var i = 0; i < sizes.Length; i++)
        {
            Assert.Equal(new FrameHeader(sizes[i], FrameType.Output, FrameHeader.Last, (ulong)i), frames[i].Header);
            Assert.Equal(Pattern(i, sizes[i]), frames[i].Body);
        }
    }

    [Fact]
    public async Task Frames_of_many_threads_do_not_mix()
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        const int Threads = 8, Each = 500;
        var received = Task.Run(() => ReadAll(sockets.Far, Threads * Each), TestContext.Current.CancellationToken);

        Parallel.For(0, Threads, thread =>
        {
            for (var i = 0; i < Each; i++)
            {
                var id = (thread * Each) + i;
                sender.Enqueue(FrameType.Run, 0, (ulong)id, Pattern(id, id % 400));
                sender.Flush(onThisThread: (id & 1) == 0);
            }
        });

        var frames = await received.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, Threads * Each).Select(id => (ulong)id), frames.Select(frame => frame.Header.Id).Order());
        Assert.All(frames, frame => Assert.Equal(Pattern((int)frame.Header.Id, (int)frame.Header.Id % 400), frame.Body));

        // One thread's frames keep their order.
        foreach (var thread in frames.GroupBy(frame => frame.Header.Id / Each)) Assert.Equal(thread.Select(f => f.Header.Id).Order(), thread.Select(f => f.Header.Id));
    }

    [Fact]
    public void A_peer_that_does_not_read_stalls_no_thread_that_flushes()
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        var body = new byte[4000];

        // Far more than the socket takes; nobody reads. Every call must come back for the test to end.
        for (var i = 0; i < 2000; i++)
        {
            sender.Enqueue(FrameType.Run, 0, 1, body);
            sender.Flush(onThisThread: true);
        }

        sockets.Near.Shutdown(SocketShutdown.Both);
    }

    [Fact]
    public async Task Payloads_that_a_flushing_thread_could_send_only_in_part_arrive_whole_and_in_order()
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        const int Count = 60, Bytes = 100_000;

        // More than the socket takes: nobody reads before the last has been flushed, alone or with its neighbours.
        for (var i = 0; i < Count; i++)
        {
            var payload = RequestPayload.Rent(Bytes);
            payload.Write(Pattern(i, Bytes).AsSpan());
            payload.AddPart("body", null, 0, Bytes);
            RunFrame.Enqueue(sender, (ulong)i, more: false, deadlineMicroseconds: -1, rows: 1, lane: 0, payload);
            payload.Release();
            if (i % 3 != 0) sender.Flush(onThisThread: true);
        }

        sender.Flush(onThisThread: true);
        var frames = await Task.Run(() => ReadAll(sockets.Far, Count), TestContext.Current.CancellationToken).WaitAsync(Limit, TestContext.Current.CancellationToken);
        for (var i = 0; i < Count; i++)
        {
            Assert.Equal((ulong)i, frames[i].Header.Id);
            Assert.Equal(Pattern(i, Bytes), frames[i].Body[RunFrame.Parse(frames[i].Body, isShared: false).PayloadOffset..]);
        }
    }

    [Fact]
    public void A_sender_with_unsent_payloads_ends_and_gives_them_back_once()
    {
        var payload = RequestPayload.Rent(100_000);
        payload.Write(Pattern(1, 100_000).AsSpan());
        payload.AddPart("body", null, 0, 100_000);
        using (var sockets = new SocketPair())
        {
            using var sender = new FrameSender(sockets.Near, "test");
            for (var i = 0; i < 60; i++)
            {
                RunFrame.Enqueue(sender, (ulong)i, more: false, deadlineMicroseconds: -1, rows: 1, lane: 0, payload);
                if (i < 50) sender.Flush(onThisThread: true);
            }

            sockets.Near.Shutdown(SocketShutdown.Both);
        }

        // Given back too often, this would be one too many; the bytes are still this test's.
        Assert.Equal(Pattern(1, 100_000), payload.Body.ToArray());
        payload.Release();
    }

    [Fact]
    public async Task What_was_flushed_and_awaited_is_in_the_socket_even_if_the_sender_dies()
    {
        using var sockets = new SocketPair();
        using (var sender = new FrameSender(sockets.Near, "test"))
        {
            IdListFrame.Enqueue(sender, FrameType.Begun, 7, [1, 2, 3]);
            sender.FlushAndWait();
            sockets.Near.Dispose();
        }

        var frame = (await Task.Run(() => ReadAll(sockets.Far, 1), TestContext.Current.CancellationToken).WaitAsync(Limit, TestContext.Current.CancellationToken))[0];
        Assert.Equal(7UL, frame.Header.Id);
        Assert.Equal([1UL, 2UL, 3UL], IdListFrame.Parse(frame.Body).ToArray());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_sender_that_fails_ends_the_connection_after_what_has_arrived(bool onThisThread)
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        sockets.Far.Send("answer"u8);

        // Nothing is to be sent any more, but much may come yet.
        sockets.Near.Shutdown(SocketShutdown.Send);
        sender.Enqueue(FrameType.Run, 0, 1, [1]);
        sender.Flush(onThisThread);

        var buffer = new byte[100];
        Assert.Equal(6, await sockets.Near.ReceiveAsync(buffer, TestContext.Current.CancellationToken));
        Assert.Equal(0, await sockets.Near.ReceiveAsync(buffer, TestContext.Current.CancellationToken).AsTask().WaitAsync(Limit, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_thread_that_waits_for_its_frames_does_not_wait_for_those_that_others_add_and_nobody_flushes()
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        const int Rounds = 50_000;
        var cancellation = TestContext.Current.CancellationToken;
        var round = 0;
        var reader = Task.Run(() => ReadAll(sockets.Far, int.MaxValue), cancellation);
        var waiting = Task.Run(
            () =>
            {
                for (var i = 0; i < Rounds; i++)
                {
                    sender.Enqueue(FrameType.Begun, 0, 1, []);
                    sender.FlushAndWait();
                    Volatile.Write(ref round, i + 1);
                }
            },
            cancellation);
        var adding = Task.Run(
            () =>
            {
                // One a round, at any moment of it: also of those after the waiting thread has sent. Nothing here ever flushes.
                var random = new Random(1);
                for (int seen = 0, now; (now = Volatile.Read(ref round)) < Rounds;)
                {
                    if (now == seen) continue;
                    seen = now;
                    Thread.SpinWait(random.Next(300));
                    sender.Enqueue(FrameType.Freed, 0, 2, []);
                }
            },
            cancellation);

        try
        {
            await waiting.WaitAsync(Limit, cancellation);
        }
        finally
        {
            Volatile.Write(ref round, Rounds);
            sockets.Near.Shutdown(SocketShutdown.Both);
            sender.Dispose();
        }

        await adding.WaitAsync(Limit, cancellation);
        await reader.WaitAsync(Limit, cancellation);
    }

    [Fact]
    public async Task A_request_arrives_with_headers_parts_and_payload_however_large()
    {
        foreach (var size in (int[])[0, 10, 8192, 8193, 1_000_000])
        {
            using var sockets = new SocketPair();
            using var sender = new FrameSender(sockets.Near, "test");
            var received = Task.Run(() => ReadAll(sockets.Far, 1), TestContext.Current.CancellationToken);
            var payload = RequestPayload.Rent(size);
            Pattern(5, size).CopyTo(payload.GetSpan(Math.Max(1, size)));
            payload.Advance(size);
            payload.AddHeader("x-näme", "wert ✓");
            payload.AddHeader("empty", "");
            payload.AddPart("body", "image/png", 0, size);
            payload.AddPart("tail", null, size / 2, size - (size / 2));

            RunFrame.Enqueue(sender, 42, more: true, deadlineMicroseconds: 1234, rows: 3, lane: 2, payload);
            sender.Flush(onThisThread: false);
            payload.Release();

            var frame = (await received.WaitAsync(Limit, TestContext.Current.CancellationToken))[0];
            Assert.Equal((FrameType.Run, FrameHeader.More, 42UL), (frame.Header.Type, frame.Header.Flags, frame.Header.Id));
            var run = RunFrame.Parse(frame.Body, isShared: false);
            Assert.Equal((1234L, 3, (byte)2), (run.DeadlineMicroseconds, run.Rows, run.Lane));
            List<KeyValuePair<string, string>> headers = [];
            List<(string, string, int, int)> parts = [];
            run.ReadHeaders(headers);
            run.ReadParts(parts);
            Assert.Equal([new("x-näme", "wert ✓"), new("empty", "")], headers);
            Assert.Equal([("body", "image/png", 0, size), ("tail", "", size / 2, size - (size / 2))], parts);
            Assert.Equal(Pattern(5, size), frame.Body[run.PayloadOffset..]);
        }
    }

    [Fact]
    public async Task A_request_of_tensors_says_so_and_has_their_shapes_in_the_place_of_types()
    {
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        var received = Task.Run(() => ReadAll(sockets.Far, 2), TestContext.Current.CancellationToken);
        var payload = RequestPayload.Rent(16);
        payload.GetSpan(16)[..16].Fill(1);
        payload.Advance(16);
        payload.AddRequestedOutput("sum");
        payload.AddTensor("a:0", TensorElement.Int32, [1, 2], 8, 8);
        payload.AddTensor("scalar", TensorElement.BFloat16, [], 2, 2);
        RunFrame.Enqueue(sender, 1, more: false, deadlineMicroseconds: -1, rows: 1, lane: 0, payload);
        sender.Flush(onThisThread: false);
        payload.Release();

        var plain = RequestPayload.Rent(0); // a pooled object forgets that it carried tensors
        plain.AddPart("body", null, 0, 0);
        RunFrame.Enqueue(sender, 2, more: false, deadlineMicroseconds: -1, rows: 1, lane: 0, plain);
        sender.Flush(onThisThread: false);
        plain.Release();

        var frames = await received.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.Equal([FrameHeader.Tensors, 0], frames.Select(frame => frame.Header.Flags));
        List<KeyValuePair<string, string>> headers = [];
        List<(string, string, int, int)> parts = [];
        RunFrame.Parse(frames[0].Body, isShared: false).ReadHeaders(headers);
        RunFrame.Parse(frames[0].Body, isShared: false).ReadParts(parts);
        Assert.Equal([new(":output", "sum")], headers);
        Assert.Equal([("a:0", "INT32[1,2]", 8, 8), ("scalar", "BF16[]", 2, 2)], parts);
    }

    [Fact]
    public void An_output_keeps_status_times_type_headers_and_body()
    {
        KeyValuePair<string, string>[] headers = [new("a", "b"), new("ü", "")];
        var times = new OutputTimes(1, 2, 3, 4, 5, uint.MaxValue);
        var head = new byte[OutputFrame.HeadBytes("text/plain", headers)];
        var length = OutputFrame.WriteHead(head, 503, times, "text/plain", headers);

        var output = OutputFrame.Parse([.. head[..length], 9, 8, 7]);

        Assert.Equal(503, output.Status);
        Assert.Equal(times, output.Times);
        Assert.Equal("text/plain"u8.ToArray(), output.ContentType.ToArray());
        Assert.Equal(headers, output.ReadHeaders());
        Assert.Equal([9, 8, 7], output.Body.ToArray());
        Assert.False(output.IsError);
    }

    [Fact]
    public void A_length_over_the_limit_closes_the_connection()
    {
        using var sockets = new SocketPair();
        var header = new byte[FrameHeader.Size];
        new FrameHeader(1001, FrameType.Output, 0, 1).Write(header);
        sockets.Near.Send(header);
        using var reader = new FrameReader(sockets.Far, maxBodyBytes: 1000);
        Assert.True(reader.Receive());

        var error = Assert.Throws<ProtocolException>(() => reader.TryRead());
        Assert.Contains("1001", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Mutated_bodies_are_refused_or_read_but_nothing_else_happens()
    {
        var random = new Random(1);
        var payload = RequestPayload.Rent(100);
        payload.Advance(100);
        payload.AddHeader("h", "v");
        payload.AddPart("body", "x/y", 10, 80);
        using var sockets = new SocketPair();
        using var sender = new FrameSender(sockets.Near, "test");
        RunFrame.Enqueue(sender, 1, false, -1, 1, 0, payload);
        sender.FlushAndWait();
        var run = ReadAll(sockets.Far, 1)[0].Body;
        var output = new byte[200];
        OutputFrame.WriteHead(output, 200, default, "a/b", [new("k", "v")]);

        for (var i = 0; i < 100_000; i++)
        {
            var body = (i % 2 == 0 ? run : output).ToArray();
            for (var n = random.Next(1, 6); n > 0; n--) body[random.Next(body.Length)] = (byte)random.Next(256);
            body = body[..random.Next(body.Length + 1)];
            try
            {
                if (i % 2 == 0)
                {
                    var parsed = RunFrame.Parse(body, isShared: random.Next(2) == 0);
                    parsed.ReadHeaders([]);
                    List<(string, string, int Offset, int Length)> parts = [];
                    parsed.ReadParts(parts);
                    foreach (var part in parts) Assert.InRange((long)part.Offset + part.Length, 0, parsed.PayloadLength);
                    Assert.InRange(parsed.PayloadOffset, 0, int.MaxValue);
                }
                else
                {
                    OutputFrame.Parse(body).ReadHeaders();
                }

                _ = IdListFrame.Parse(body);
            }
            catch (ProtocolException)
            {
                // Refused, which closes the connection.
            }
        }
    }

    private static byte[] Pattern(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static List<(FrameHeader Header, byte[] Body)> ReadAll(Socket socket, int count)
    {
        using var reader = new FrameReader(socket);
        List<(FrameHeader, byte[])> frames = [];
        while (frames.Count < count && reader.Receive())
        {
            while (reader.TryRead())
            {
                var length = reader.Header.Length;
                if (length % 2 == 0)
                {
                    frames.Add((reader.Header, reader.Body.ToArray()));
                    continue;
                }

                var taken = reader.TakeBody();
                frames.Add((reader.Header, taken[..length]));
                ArrayPool<byte>.Shared.Return(taken);
            }
        }

        return frames;
    }
}
