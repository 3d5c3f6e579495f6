using System.Buffers;
using Serve.Core.Handlers;
using Serve.Core.Protocol;
using Serve.Core.Scheduling;
using Serve.Worker.Execution;

namespace Serve.Worker.Pipeline;

/// <summary>
/// A request from its Run to its answer, with everything that belongs to it: input, row of the batch, response. Pooled: an
/// object serves one request after another. <see cref="Phase"/> and the flags belong to <see cref="PendingRequests"/> and its
/// lock; the rest belongs to the stage that has the request.
/// </summary>
internal sealed class WorkerRequest : FormerRow
{
    private readonly List<RequestPart> _parts = [];
    private readonly List<(string Name, string ContentType, int Offset, int Length)> _partTable = [];
    private readonly RunHeaders _headers = new();
    private byte[]? _frame;

    public WorkerRequest()
    {
        Request = new HandlerRequest(0, _parts, _headers);
        Call = new HandlerCall(Request, Response);
    }

    public ulong Id { get; private set; }

    public long ArrivalTimestamp { get; private set; }

    public HandlerRequest Request { get; }

    public WorkerResponse Response { get; } = new();

    public HandlerCall Call { get; }

    /// <summary>Its row, for a model of ONNX Runtime's; belongs to the request from decoding to the answer.</summary>
    public BatchRow? Row { get; set; }

    public long DecodeStartTimestamp { get; set; }

    public RequestPhase Phase { get; set; }

    /// <summary>A decode thread refers to it, so the object cannot be reused yet, although the request may be at its end.</summary>
    public bool IsWithDecoder { get; set; }

    /// <summary>Nobody waits for the answer any more.</summary>
    public bool IsCancelled { get; set; }

    /// <summary>The batch that it runs in, while it has begun.</summary>
    public Batch? Batch { get; set; }

    /// <summary>Takes a Run over: parts are slices of the frame, which the request keeps until its answer.</summary>
    /// <exception cref="ProtocolException">The frame is malformed.</exception>
    public void Accept(ulong id, byte[] frame, int length, long now, long timestampFrequency)
    {
        _frame = frame;
        var run = RunFrame.Parse(frame.AsSpan(0, length));
        Id = Request.Id = id;
        Lane = run.Lane;
        Rows = run.Rows;
        ArrivalTimestamp = now;
        DeadlineTimestamp = DeadlineOf(run.DeadlineMicroseconds, now, timestampFrequency);
        run.ReadParts(_partTable);
        foreach (var (name, contentType, offset, partLength) in _partTable)
        {
            _parts.Add(new RequestPart(name, contentType, frame.AsMemory(run.PayloadOffset + offset, partLength)));
        }

        if (run.HeaderCount > 0) _headers.Attach(frame.AsMemory(0, length));
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
        Request.State = null;
        Response.Clear();
        Call.Reset();
        Batch = null;
        Phase = RequestPhase.None;
        IsCancelled = false;
        DecodeStartTimestamp = ReadyTimestamp = 0;
    }

    private static long DeadlineOf(long microseconds, long now, long frequency)
    {
        if (microseconds < 0) return long.MaxValue;
        var ticks = Math.Min(microseconds / 1e6 * frequency, long.MaxValue / 2);
        return now + (long)ticks;
    }
}
