using System.Net.Sockets;
using System.Buffers.Binary;
using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>
/// The reader's thread: takes in frames until the connection ends. Requests of one chunk are taken in together, so that they
/// can share a batch.
/// </summary>
internal sealed class FrameIntake(FrameReader reader, FrameSender sender, RequestPool pool, PendingRequests pending, AnswerWriter answers, TimeProvider time)
{
    private readonly List<ulong> _returned = [];
    private ReaderExecution? _execution;

    /// <summary>Has batches executed on this thread while <see cref="PendingRequests.RunsOnReader"/> says so.</summary>
    public void ExecuteWith(ReaderExecution execution) => _execution = execution;

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

            _execution?.RunWaiting();
            answers.Flush();
        }
        while (reader.Receive());

        return false;
    }

    private void Handle()
    {
        switch (reader.Header.Type)
        {
            case FrameType.Run:
                Accept();
                break;
            case FrameType.Cancel:
                var id = reader.Header.Id;
                if (pending.Cancel(id)) answers.WriteCancelled(id);
                break;
            case FrameType.Recall:
                Recall();
                break;
            case FrameType.Drain:
                break; // what is there is finished anyway, and nothing more will come
            case FrameType.Load:
                throw new ProtocolException("A second Load.");
        }
    }

    private void Accept()
    {
        var header = reader.Header;
        var request = pool.Rent();
        request.Accept(header.Id, reader.TakeBody(), header.Length, time.GetTimestamp(), time.TimestampFrequency);
        pending.Arrive(request, (header.Flags & FrameHeader.More) != 0);
    }

    private void Recall()
    {
        if (reader.Body.Length < sizeof(uint)) throw new ProtocolException($"A Recall of {reader.Body.Length} bytes.");
        var rows = BinaryPrimitives.ReadUInt32LittleEndian(reader.Body);
        pending.Recall((int)Math.Min(rows, int.MaxValue), _returned);
        IdListFrame.Enqueue(sender, FrameType.Returned, 0, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_returned));
        _returned.Clear();
    }
}
