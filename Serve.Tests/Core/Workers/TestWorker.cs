using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Core.Workers;
using Serve.Tests.Core.Protocol;

namespace Serve.Tests.Core.Workers;

/// <summary>A worker as the scheduler has it, whose frames the test reads.</summary>
internal sealed class TestWorker : IRequestTarget, IDisposable
{
    private readonly SocketPair _sockets = new();
    private readonly FrameReader _reader;

    public TestWorker()
    {
        Sender = new FrameSender(_sockets.Near, "test");
        _reader = new FrameReader(_sockets.Far);
    }

    public FrameSender Sender { get; }

    public SharedBodyHolds? Holds { get; set; }

    public WorkerSlot? Slot { get; set; }

    public bool IsTouched { get; set; }

    public bool WasIdle { get; set; }

    public bool HasServed { get; set; }

    /// <summary>Each call of <see cref="Flush"/>, and whether its thread was to send.</summary>
    public List<bool> Flushes { get; } = [];

    public void Flush(bool onThisThread)
    {
        Flushes.Add(onThisThread);
        Sender.FlushAndWait();
    }

    /// <summary>The frames that have come: type, id, and what a Taken says.</summary>
    public List<(FrameType Type, ulong Id, long Taken)> Receive()
    {
        Assert.True(_reader.Receive());
        List<(FrameType, ulong, long)> frames = [];
        while (_reader.TryRead()) frames.Add((_reader.Header.Type, _reader.Header.Id, _reader.Header.Type == FrameType.Taken ? PartWindow.ReadTaken(_reader.Body) : 0));
        return frames;
    }

    public void Dispose()
    {
        _sockets.Dispose();
        Sender.Dispose();
        _reader.Dispose();
    }
}
