using Serve.Core.Protocol;
using Serve.Frontend.Hosting.Http2;
using Serve.Tests.Fuzzing;

namespace Serve.Tests.Frontend.Hosting.Http2;

/// <summary>Streams of random bodies, interleaved and cut anywhere.</summary>
public sealed class StreamBodiesFuzzTests
{
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;
    private const byte Padded = 8;
    private const byte Ping = 6;
    private const int MostLooks = 1_000_000;

    private static readonly int[] Sizes = [0, 1, 30, 200, 20_000, 70_000];

    [Fact]
    public void Each_body_comes_whole_to_whom_it_belongs_and_Kestrel_sees_all_the_rest_in_order() => FuzzRun.Run(400, static random => RunAsync(random).GetAwaiter().GetResult());

    private static async Task RunAsync(Random random)
    {
        var places = random.Next(3);
        await using var stand = new FrameStand((_, length) => random.Next(3) >= places ? null : RequestPayload.Rent(random.Next(2) == 0 ? length : 0));
        var streams = Enumerable.Range(0, random.Next(1, 6)).Select(i => new Played(random, (2 * i) + 1)).ToList();
        var bytes = Interleaved(random, streams);

        List<(FrameHead Head, byte[] Payload)> seen = [];
        await stand.SendAsync(FrameStand.Preface);
        for (var sent = 0; sent < bytes.Length;)
        {
            var length = Math.Min(bytes.Length - sent, random.Next(3) switch { 0 => random.Next(1, 20), 1 => random.Next(1, 3_000), _ => random.Next(1, 200_000) });
            await stand.SendAsync(bytes.AsMemory(sent, length));
            sent += length;
            Look();
            if (random.Next(20) == 0) stand.Beat();
            foreach (var stream in streams.Where(stream => stream.IsBegun && !stream.IsAsked && random.Next(2) == 0)) stream.Ask(stand);
        }

        // What is held back comes seconds later. Whoever waited for Kestrel to read goes on elsewhere.
        await LookUntilAsync(() => streams.All(stream => stream.IsBegun));
        foreach (var stream in streams.Where(stream => !stream.IsAsked)) stream.Ask(stand);
        await LookUntilAsync(() => streams.All(stream => stream.IsRead));
        foreach (var stream in streams) await stream.EndAsync();
        await LookUntilAsync(() => streams.All(stream => seen.Any(frame => frame.Head.Stream == stream.Number && frame.Head.EndsStream)));

        Assert.Equal(streams.Select(stream => stream.Number), seen.Where(frame => frame.Head.Type == FrameHead.Headers && frame.Payload is [0xAA, ..]).Select(frame => frame.Head.Stream));
        Assert.All(streams, stream => stream.Check([.. seen.Where(frame => frame.Head.Stream == stream.Number)]));
        Assert.Equal(streams.Sum(stream => stream.Pings), seen.Count(frame => frame.Head.Type == Ping));
        Assert.Empty(stand.Ended);

        async Task LookUntilAsync(Func<bool> isSeen)
        {
            var looks = 0;
            for (Look(); !isSeen(); Look())
            {
                Assert.True(++looks < MostLooks, $"Not all was seen, but {string.Join(' ', seen.Select(frame => $"{frame.Head.Type}/{frame.Head.Stream}"))}");
                stand.Beat();
                await Task.Yield();
            }
        }

        void Look()
        {
            for (var more = stand.ReadByKestrel(); more.Count > 0; more = stand.ReadByKestrel()) seen.AddRange(more);
            foreach (var (head, _) in seen.Where(frame => frame.Head is { Type: FrameHead.Headers or FrameHead.Continuation, EndsHeaders: true })) streams.Single(stream => stream.Number == head.Stream).IsBegun = true;
        }
    }

    // Streams begin in the order of their numbers.
    private static byte[] Interleaved(Random random, List<Played> streams)
    {
        var bytes = new MemoryStream();
        var left = streams.Select(stream => new Queue<byte[]>(stream.Frames)).ToList();
        var begun = 0;
        while (left.Any(frames => frames.Count > 0))
        {
            var next = random.Next(begun == streams.Count ? begun : begun + 1);
            if (next == begun) begun++;
            if (left[next].TryDequeue(out var frame)) bytes.Write(frame);
        }

        return bytes.ToArray();
    }

    private sealed class Played
    {
        private readonly byte[] _sent;
        private readonly bool _hasLength;
        private readonly bool _hasTrailers;
        private StreamBody? _body;
        private Task<byte[]>? _read;

        public Played(Random random, int number)
        {
            Number = number;
            var body = new MemoryStream();
            for (var messages = random.Next(4); messages > 0; messages--)
            {
                var content = new byte[Sizes[random.Next(Sizes.Length)]];
                random.NextBytes(content);
                body.Write(FrameStand.Message(content));
            }

            _sent = body.ToArray()[..(int)(body.Length - random.Next(2) * Math.Min(body.Length, random.Next(100)))];
            _hasLength = random.Next(4) == 0;
            _hasTrailers = random.Next(4) == 0;
            Frames = [.. Cut(random)];
        }

        public int Number { get; }

        public List<byte[]> Frames { get; }

        public int Pings { get; private set; }

        public bool IsBegun { get; set; }

        public bool IsAsked { get; private set; }

        public bool IsRead => _read is null or { IsCompleted: true };

        public void Ask(FrameStand stand)
        {
            IsAsked = true;
            (_body, _) = stand.Take(Number, length: _hasLength ? _sent.Length : null);
            if (_body is not null) _read = Task.Run(() => FrameStand.ReadAllAsync(_body));
        }

        public async Task EndAsync()
        {
            if (_body is null) return;
            Assert.Equal(_sent, await _read!);
            await _body.EndAsync();
        }

        public void Check(List<(FrameHead Head, byte[] Payload)> seen)
        {
            Assert.Equal(FrameHead.Headers, seen[0].Head.Type);
            Assert.True(seen[^1].Head.EndsStream);
            Assert.Single(seen, frame => frame.Head.EndsStream);
            foreach (var (first, second) in seen.Zip(seen.Skip(1))) Assert.True(first.Head is not { Type: FrameHead.Headers, EndsHeaders: false } || second.Head.Type == FrameHead.Continuation);
            var data = seen.Where(frame => frame.Head.Type == FrameHead.Data).SelectMany(frame => frame.Head.IsPadded ? frame.Payload[1..^frame.Payload[0]] : frame.Payload).ToArray();
            Assert.Equal(_body is null ? _sent : [], data);
            if (_hasLength) Assert.Null(_body);
        }

        private IEnumerable<byte[]> Cut(Random random)
        {
            var isCut = random.Next(4) == 0;
            yield return [.. FrameStand.Frame(FrameHead.Headers, isCut ? (byte)0 : EndHeaders, Number, [0xAA, .. new byte[random.Next(40)]]), .. isCut ? FrameStand.Frame(FrameHead.Continuation, EndHeaders, Number, 1) : []];
            if (random.Next(3) == 0) yield return FrameStand.Frame(FrameHead.WindowUpdate, 0, Number, 0, 0, 0, 5);
            for (var at = 0; at < _sent.Length;)
            {
                if (random.Next(5) == 0)
                {
                    Pings++;
                    yield return FrameStand.Frame(Ping, 0, 0, new byte[8]);
                }

                var padding = random.Next(4) == 0 ? random.Next(256) : -1;
                var length = Math.Min(_sent.Length - at, random.Next(3) == 0 ? random.Next(300) : FrameStand.MaxFrameBytes - 256);
                var isLast = at + length == _sent.Length && !_hasTrailers && random.Next(2) == 0;
                byte[] payload = padding < 0 ? _sent[at..(at + length)] : [(byte)padding, .. _sent[at..(at + length)], .. new byte[padding]];
                yield return FrameStand.Frame(FrameHead.Data, (byte)((isLast ? EndStream : 0) | (padding < 0 ? 0 : Padded)), Number, payload);
                at += length;
                if (isLast) yield break;
            }

            yield return _hasTrailers ? FrameStand.Frame(FrameHead.Headers, EndHeaders | EndStream, Number, 0xBB) : FrameStand.Frame(FrameHead.Data, EndStream, Number);
        }
    }
}
