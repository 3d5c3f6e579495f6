using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>
/// The reader's thread: takes in frames until the connection ends. Requests of one chunk are taken in together, so that they
/// can share a batch.
/// </summary>
internal sealed class FrameIntake(FrameReader reader, FrameSender sender, TimeProvider time)
{
    private readonly List<ulong> _returned = [];
    private volatile WorkerPipeline? _pipeline;
    private ReadOnlyMemory<byte>? _bodies;

    /// <summary>The model is loaded: requests go to this pipeline from here on. Before, there must be none.</summary>
    /// <param name="pipeline">The pipeline.</param>
    /// <param name="bodies">The frontend's memory, in which payloads may lie; null: they all come with their frames.</param>
    public void Serve(WorkerPipeline pipeline, ReadOnlyMemory<byte>? bodies = null)
    {
        _bodies = bodies;
        _pipeline = pipeline;
    }

    /// <summary>Runs until the frontend says Stop or the connection ends.</summary>
    /// <returns>Whether it was a Stop.</returns>
    /// <exception cref="ProtocolException">The frontend broke the protocol.</exception>
    /// <exception cref="SocketException">The connection broke.</exception>
    public bool Run()
    {
        do
        {
            while (reader.TryRead())
            {
                if (reader.Header.Type == FrameType.Stop) return true;
                Handle();
            }

            if (_pipeline is { } pipeline)
            {
                pipeline.OnReader.RunWaiting();
                reader.IsPeerQuick = pipeline.Pending.RunsOnReader;
            }

            sender.Flush(onThisThread: true);
        }
        while (reader.Receive());

        return false;
    }

    private void Handle()
    {
        switch (reader.Header.Type)
        {
            case FrameType.Run:
                Accept(Pipeline);
                break;
            case FrameType.Cancel:
                var id = reader.Header.Id;
                if (Pipeline.Pending.Cancel(id)) Pipeline.Answers.WriteCancelled(id);
                break;
            case FrameType.Taken:
                Pipeline.Pending.Taken(reader.Header.Id, PartWindow.ReadTaken(reader.Body));
                break;
            case FrameType.Recall:
                Recall(Pipeline);
                break;
            case FrameType.Load:
                throw new ProtocolException("A second Load.");
        }
    }

    private WorkerPipeline Pipeline => _pipeline ?? throw new ProtocolException($"A {reader.Header.Type} before Ready.");

    private void Accept(WorkerPipeline pipeline)
    {
        var header = reader.Header;
        var isShared = (header.Flags & FrameHeader.Shared) != 0;
        if (isShared && _bodies is null) throw new ProtocolException("A Run in shared memory, which this worker does not read.");
        var request = pipeline.Pool.Rent();
        request.Accept(header.Id, reader.TakeBody(), header.Length, time.GetTimestamp(), time.TimestampFrequency, (header.Flags & FrameHeader.Tensors) != 0, isShared ? _bodies : null);
        if ((header.Flags & FrameHeader.Describe) != 0) pipeline.Describe(request);
        else pipeline.Arrive(request, (header.Flags & FrameHeader.More) != 0);
    }

    private void Recall(WorkerPipeline pipeline)
    {
        if (reader.Body.Length < sizeof(uint)) throw new ProtocolException($"A Recall of {reader.Body.Length} bytes.");
        var rows = BinaryPrimitives.ReadUInt32LittleEndian(reader.Body);
        pipeline.Pending.Recall((int)Math.Min(rows, int.MaxValue), _returned);
        IdListFrame.Enqueue(sender, FrameType.Returned, 0, CollectionsMarshal.AsSpan(_returned));
        _returned.Clear();
    }
}
