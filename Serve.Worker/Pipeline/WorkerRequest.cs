using System.Buffers;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Worker.Execution;

namespace Serve.Worker.Pipeline;

/// <summary>
/// A request from its Run to its answer, with everything that belongs to it: input, row of the batch, response. Pooled: an
/// object serves one request after another. <see cref="Phase"/> and the flags belong to <see cref="PendingRequests"/> and its
/// lock; the rest belongs to the stage that has the request. Those of a handler that streams are not used again: whatever
/// thread of the handler's still has one must not reach another client.
/// </summary>
internal sealed class WorkerRequest : FormerRow, ICallSink
{
    private readonly List<RequestPart> _parts = [];
    private readonly List<(string Name, string ContentType, int Offset, int Length)> _partTable = [];
    private readonly RunHeaders _headers = new();
    private readonly PartSender? _partSender;
    private byte[]? _frame;

    /// <param name="partSender">Sends parts of answers; null: the handler answers whole.</param>
    public WorkerRequest(PartSender? partSender = null)
    {
        Room = partSender is null ? null : new ClientRoom();
        _partSender = partSender;
        Request = new HandlerRequest(0, _parts, _headers);
        Call = new HandlerCall(Request, Response, partSender is null ? null : this);
    }

    public ulong Id { get; private set; }

    public long ArrivalTimestamp { get; private set; }

    public HandlerRequest Request { get; }

    public WorkerResponse Response { get; } = new();

    public HandlerCall Call { get; }

    /// <summary>Its row, for a model of ONNX Runtime's; belongs to the request from decoding to the answer.</summary>
    public BatchRow? Row { get; set; }

    /// <summary>Bytes of its Run, with everything that came with it.</summary>
    public long RunBytes { get; private set; }

    /// <summary>Whether its payload lies in memory of the frontend's, which is to be told when it is read no longer.</summary>
    public bool IsShared { get; private set; }

    public long DecodeStartTimestamp { get; set; }

    public RequestPhase Phase { get; set; }

    /// <summary>A decode thread refers to it, so the object cannot be reused yet, although the request may be at its end.</summary>
    public bool IsWithDecoder { get; set; }

    /// <summary>Nobody waits for the answer any more.</summary>
    public bool IsCancelled => Call.IsCancelled;

    /// <summary>Whether it is counted among those of its batch that are over.</summary>
    public bool IsOver { get; set; }

    /// <summary>Parts of its answer that were sent; the handler's thread's.</summary>
    public int PartsSent { get; set; }

    /// <summary>How much of its answer may be on its way; null where handlers answer whole.</summary>
    public ClientRoom? Room { get; }

    /// <summary>Whether the object may serve another request.</summary>
    public bool IsReusable => _partSender is null;

    /// <summary>The batch that it runs in, while it has begun.</summary>
    public Batch? Batch { get; set; }

    /// <summary>Takes a Run over: parts are slices of the frame, or of shared memory, which the request keeps until its answer.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="frame">The Run's body, pooled.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="now">The time, as a timestamp.</param>
    /// <param name="timestampFrequency">Of timestamps.</param>
    /// <param name="carriesTensors">Whether its parts are tensors.</param>
    /// <param name="shared">The memory that its payload lies in; null: in the frame.</param>
    /// <exception cref="ProtocolException">The frame is malformed.</exception>
    public void Accept(ulong id, byte[] frame, int length, long now, long timestampFrequency, bool carriesTensors = false, ReadOnlyMemory<byte>? shared = null)
    {
        _frame = frame;
        var run = RunFrame.Parse(frame.AsSpan(0, length), isShared: shared is not null);
        var memory = shared ?? frame.AsMemory(0, length);
        if (run.PayloadOffset + (long)run.PayloadLength > memory.Length) throw new ProtocolException($"A payload of {run.PayloadLength} bytes at {run.PayloadOffset} reaches beyond the shared memory.");
        var payload = memory.Slice(run.PayloadOffset, run.PayloadLength);
        IsShared = shared is not null;
        RunBytes = IsShared ? (long)length + payload.Length : length;
        Id = Request.Id = id;
        Lane = run.Lane;
        Rows = run.Rows;
        ArrivalTimestamp = now;
        DeadlineTimestamp = DeadlineOf(run.DeadlineMicroseconds, now, timestampFrequency);
        Request.CarriesTensors = carriesTensors;
        if (run.PartCount == 0 && !carriesTensors) throw new ProtocolException("A Run without a part.");
        run.ReadParts(_partTable);
        foreach (var (name, contentType, offset, partLength) in _partTable)
        {
            _parts.Add(new RequestPart(name, contentType, payload.Slice(offset, partLength)));
        }

        if (run.HeaderCount > 0) _headers.Attach(frame.AsMemory(0, length), IsShared);
        else _headers.Clear();
    }

    /// <summary>Gives the frame back and forgets everything.</summary>
    public void Clear()
    {
        _parts.Clear();
        _partTable.Clear();
        _headers.Clear();
        if (_frame is { } frame) ArrayPool<byte>.Shared.Return(frame);
        _frame = null;
        IsShared = false;
        Request.State = null;
        Response.Clear();
        Call.Reset();
        Batch = null;
        Phase = RequestPhase.None;
        IsOver = false;
        PartsSent = 0;
        if (!IsReusable) Call.Retire();
        DecodeStartTimestamp = ReadyTimestamp = 0;
    }

    ValueTask<bool> ICallSink.SendPartAsync(HandlerCall call) => _partSender!.SendAsync(this);

    bool ICallSink.HasRoom(HandlerCall call) => Room!.HasRoom;

    void ICallSink.End(HandlerCall call) => _partSender!.End(this);

    private static long DeadlineOf(long microseconds, long now, long frequency)
    {
        if (microseconds < 0) return long.MaxValue;
        var ticks = Math.Min(microseconds / 1e6 * frequency, long.MaxValue / 2);
        return now + (long)ticks;
    }
}
