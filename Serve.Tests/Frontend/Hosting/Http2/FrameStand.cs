using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Serve.Frontend.Hosting.Http2;

namespace Serve.Tests.Frontend.Hosting.Http2;

/// <summary>A connection between a client and a Kestrel that are both played: what either sends is frames that a test makes.</summary>
internal sealed class FrameStand : IAsyncDisposable
{
    public const int MaxFrameBytes = 16 << 10;

    private readonly Pipe _in = new(new PipeOptions(pauseWriterThreshold: 0, readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly Pipe _out = new(new PipeOptions(pauseWriterThreshold: 0, readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly Connection _connection;
    private readonly TaskCompletionSource _kestrel = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _serving;

    public FrameStand(MessagePlace? place = null, int windowBytes = 4 << 20, MinDataRate? slowest = null)
    {
        _connection = new Connection(new Duplex(_in.Reader, _out.Writer));
        var limits = new KestrelServerOptions().Limits.Http2;
        (limits.InitialStreamWindowSize, limits.InitialConnectionWindowSize, limits.MaxFrameSize) = (windowBytes, windowBytes, MaxFrameBytes);
        _serving = StreamBodies.ServeAsync(_connection, _ => _kestrel.Task, limits, slowest, place ?? ((_, _) => null));
    }

    /// <summary>What Kestrel reads and writes.</summary>
    public IDuplexPipe Transport => _connection.Transport;

    /// <summary>Streams that were ended from here.</summary>
    public List<int> Ended { get; } = [];

    public static byte[] Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray();

    /// <summary>A frame's bytes.</summary>
    public static byte[] Frame(byte type, byte flags, int stream, params ReadOnlySpan<byte> payload)
    {
        var bytes = new byte[FrameHead.Bytes + payload.Length];
        new FrameHead(payload.Length, type, flags, stream).Write(bytes);
        payload.CopyTo(bytes.AsSpan(FrameHead.Bytes));
        return bytes;
    }

    /// <summary>A message as gRPC has it in a body.</summary>
    public static byte[] Message(params ReadOnlySpan<byte> content) => [0, (byte)(content.Length >> 24), (byte)(content.Length >> 16), (byte)(content.Length >> 8), (byte)content.Length, .. content];

    /// <summary>The client sends; when it returns, all that can be done with it is done.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _in.Writer.WriteAsync(bytes);

    /// <summary>The client closes.</summary>
    public void Close() => _in.Writer.Complete();

    /// <summary>What Kestrel finds that it has not read before.</summary>
    public List<(FrameHead Head, byte[] Payload)> ReadByKestrel() => Frames(Transport.Input, ref _isPrefaceRead);

    /// <summary>What the client finds that it has not read before; waits until there is something.</summary>
    public async Task<List<(FrameHead Head, byte[] Payload)>> ReadByClientAsync()
    {
        var read = await _out.Reader.ReadAsync(TestContext.Current.CancellationToken);
        _out.Reader.AdvanceTo(read.Buffer.Start);
        var isPrefaceRead = true;
        return Frames(_out.Reader, ref isPrefaceRead);
    }

    /// <summary>A second passes for Kestrel.</summary>
    public void Beat() => _connection.Beat();

    /// <summary>What a request does when Kestrel begins it.</summary>
    /// <param name="stream">Its stream.</param>
    /// <param name="ofKestrel">The body as Kestrel has it.</param>
    /// <param name="length">Its Content-Length.</param>
    public (StreamBody? Body, HttpContext Context) Take(int stream, PipeReader? ofKestrel = null, long? length = null)
    {
        var context = Begin(stream, ofKestrel, length);
        return (StreamBodies.Take(context), context);
    }

    /// <summary>A request as Kestrel begins it; nobody has asked for its body yet.</summary>
    public HttpContext Begin(int stream, PipeReader? ofKestrel = null, long? length = null)
    {
        var context = new DefaultHttpContext();
        context.Features.Set(_connection.Features.Get<StreamBodies>());
        context.Features.Set<IHttp2StreamIdFeature>(new StreamId(stream));
        context.Features.Set<IRequestBodyPipeFeature>(new Body(ofKestrel ?? PipeReader.Create(ReadOnlySequence<byte>.Empty)));
        context.Features.Set<IHttpResetFeature>(new Resetting(() => Ended.Add(stream)));
        context.Request.ContentLength = length;
        return context;
    }

    /// <summary>All that is left of a body.</summary>
    public static async Task<byte[]> ReadAllAsync(PipeReader body)
    {
        var all = new ArrayBufferWriter<byte>();
        while (true)
        {
            var read = await body.ReadAsync();
            foreach (var piece in read.Buffer) all.Write(piece.Span);
            body.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) return all.WrittenSpan.ToArray();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _kestrel.TrySetResult();
        await _serving;
    }

    private bool _isPrefaceRead;

    private static List<(FrameHead Head, byte[] Payload)> Frames(PipeReader reader, ref bool isPrefaceRead)
    {
        List<(FrameHead, byte[])> frames = [];
        while (reader.TryRead(out var read))
        {
            var left = read.Buffer;
            if (!isPrefaceRead && left.Length >= Preface.Length)
            {
                Assert.Equal(Preface, left.Slice(0, Preface.Length).ToArray());
                left = left.Slice(Preface.Length);
                isPrefaceRead = true;
            }

            while (isPrefaceRead && left.Length >= FrameHead.Bytes && FrameHead.Read(left.Slice(0, FrameHead.Bytes).ToArray()) is var head && left.Length >= FrameHead.Bytes + head.Length)
            {
                frames.Add((head, left.Slice(FrameHead.Bytes, head.Length).ToArray()));
                left = left.Slice(FrameHead.Bytes + head.Length);
            }

            reader.AdvanceTo(left.Start, left.End);
            if (read.IsCompleted) break;
        }

        return frames;
    }

    private sealed class Duplex(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input { get; } = input;

        public PipeWriter Output { get; } = output;
    }

    private sealed class Connection : DefaultConnectionContext, IConnectionHeartbeatFeature
    {
        private Action? _beat;

        public Connection(IDuplexPipe transport)
            : base("1")
        {
            Transport = transport;
            Features.Set<IConnectionHeartbeatFeature>(this);
        }

        public void OnHeartbeat(Action<object> action, object state) => _beat = () => action(state);

        public void Beat() => _beat!();
    }

    private sealed class StreamId(int stream) : IHttp2StreamIdFeature
    {
        int IHttp2StreamIdFeature.StreamId => stream;
    }

    private sealed class Resetting(Action reset) : IHttpResetFeature
    {
        public void Reset(int errorCode) => reset();
    }

    private sealed class Body(PipeReader reader) : IRequestBodyPipeFeature
    {
        public PipeReader Reader { get; } = reader;
    }
}
