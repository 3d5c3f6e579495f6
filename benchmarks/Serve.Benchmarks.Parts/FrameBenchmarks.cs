using System.Buffers;
using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using Serve.Core.Protocol;

namespace Serve.Benchmarks.Parts;

/// <summary>The link to a worker: a request is written as a Run frame, crosses a Unix domain socket, and is read and parsed. One thread does both.</summary>
public class FrameBenchmarks
{
    private Socket _near = null!;
    private Socket _far = null!;
    private FrameSender _sender = null!;
    private FrameReader _reader = null!;
    private RequestPayload _payload = null!;
    private ulong _id;

    /// <summary>Of the request's body.</summary>
    [Params(1, 8 << 10, 100 << 10)]
    public int BodyBytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var path = Path.Combine(Path.GetTempPath(), $"serve-bench-{Guid.NewGuid():N}.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        _near = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _near.Connect(new UnixDomainSocketEndPoint(path));
        _far = listener.Accept();
        File.Delete(path);
        _sender = new FrameSender(_near, "benchmark");
        _reader = new FrameReader(_far);
        _payload = RequestPayload.Rent(BodyBytes);
        _payload.Write(new byte[BodyBytes]);
        _payload.AddHeader("x-request-id", "0123456789abcdef");
        _payload.AddPart("body", "application/octet-stream", 0, BodyBytes);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _near.Shutdown(SocketShutdown.Both);
        _sender.Dispose();
        _reader.Dispose();
        _near.Dispose();
        _far.Dispose();
        _payload.Release();
    }

    [Benchmark]
    public int WriteAndRead()
    {
        RunFrame.Enqueue(_sender, ++_id, more: false, deadlineMicroseconds: 1_000_000, rows: 1, lane: 0, _payload);
        _sender.Flush(onThisThread: true);
        while (!_reader.TryRead())
        {
            if (!_reader.Receive()) throw new InvalidOperationException("The connection has ended.");
        }

        var frame = RunFrame.Parse(_reader.Body, isShared: false);
        return frame.PayloadLength == BodyBytes && _reader.Header.Id == _id ? frame.Rows : throw new InvalidOperationException("Another frame came.");
    }
}
