using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Serve.Core.Protocol;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// Takes the bodies of a connection's requests past Kestrel: frames of DATA go from the transport straight to the request
/// that reads them, and Kestrel sees all other frames, and where each body ends. Inside Kestrel a byte of a body is copied
/// twice more, and wakes a thread for each piece. docs/decisions/0014 has the reasons, docs/performance.md the figures.
/// </summary>
/// <remarks>
/// Kestrel keeps what is hard to get right: header compression, the states of streams, resets, floods, everything that is
/// sent. Whatever is unusual is left to it: frames that are malformed or come at a wrong time, bodies of a known length, and
/// those of requests that it does not pass on. Here is only what Kestrel would do with bytes of a body: keep them until they
/// are read, and allow as many again (RFC 9113, section 5.2).
/// </remarks>
internal sealed class StreamBodies : IDuplexPipe
{
    private const int PrefaceBytes = 24;
    private const int LeastWindow = 65_535;
    private const int MostUnknown = 128;
    private const int MostDropped = 128;
    private const int MostPipes = 16;
    private const int MostHeadBytes = 16 << 10;

    private readonly ConnectionContext _connection;
    private readonly IDuplexPipe _transport;
    private readonly Http2Limits _limits;
    private readonly MinDataRate? _slowest;
    private readonly MessagePlace _place;
    private readonly PipeOptions _bodies;
    private readonly Lock _gate = new();
    private readonly KestrelInput _kestrel;
    private readonly CreditWriter _output;
    private readonly Dictionary<int, StreamBody> _open = [];
    private readonly Queue<StreamBody> _unknown = new();
    private readonly Queue<StreamBody> _dropped = new();
    private readonly List<StreamBody> _due = [];
    private readonly Stack<Pipe> _pipes = new();

    // The frame that is under way, and what is left of it. Of a body, or else of Kestrel.
    private int _prefaceLeft = PrefaceBytes;
    private FrameHead _frame;
    private StreamBody? _body;
    private int _payloadLeft;
    private int _paddingLeft;
    private bool _isInHeaders;

    // The frame that begins a request, held back while its message is on its way.
    private readonly ArrayBufferWriter<byte> _head = new();
    private StreamBody? _headOf;
    private bool _isHoldingBack;

    private long _window;
    private long _reserved;
    private int _highest;
    private int _begun;
    private bool _isClosed;

    private StreamBodies(ConnectionContext connection, Http2Limits limits, MinDataRate? slowest, MessagePlace place)
    {
        (_connection, _transport, _limits, _slowest, _place) = (connection, connection.Transport, limits, slowest, place);
        _kestrel = new KestrelInput(_gate);
        _window = Math.Max(limits.InitialConnectionWindowSize, LeastWindow);
        _output = new CreditWriter(_transport.Output, (int)_window);
        _bodies = new PipeOptions(connection.Features.Get<IMemoryPoolFeature>()?.MemoryPool, PipeScheduler.ThreadPool, PipeScheduler.Inline, pauseWriterThreshold: 0, resumeWriterThreshold: 0, minimumSegmentSize: LargeBlockPool.BlockBytes, useSynchronizationContext: false);
    }

    /// <summary>What one stream may send before it is allowed more.</summary>
    public int WindowBytes => _limits.InitialStreamWindowSize;

    /// <summary>Whether Kestrel was told to begin requests on the thread that reads.</summary>
    public bool AreStreamsInline { get; set; }

    /// <summary>The one stream that what arrived last lets Kestrel begin; 0: there are more, or none, or more has come behind it.</summary>
    public int OnlyStream { get; private set; }

    /// <inheritdoc/>
    public PipeReader Input => _kestrel.Reader;

    /// <inheritdoc/>
    public PipeWriter Output => _output;

    // Kestrel's frames are written whole, and those of a header block without others between them: before its end nothing can follow.
    private bool IsForwarding => _isInHeaders || (_body is null && !_isHoldingBack && (_payloadLeft > 0 || _prefaceLeft is > 0 and < PrefaceBytes));

    /// <summary>Serves a connection that speaks HTTP/2 with prior knowledge.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="next">Kestrel.</param>
    /// <param name="limits">Kestrel's, of which it tells the client.</param>
    /// <param name="slowest">How fast a body must come while somebody waits for it; null: as it likes.</param>
    /// <param name="place">Where messages go.</param>
    public static async Task ServeAsync(ConnectionContext connection, ConnectionDelegate next, Http2Limits limits, MinDataRate? slowest, MessagePlace place)
    {
        var transport = connection.Transport;
        var bodies = new StreamBodies(connection, limits, slowest, place);
        connection.Features.Set(bodies);
        connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static bodies => ((StreamBodies)bodies).Check(), bodies);
        connection.Transport = bodies;
        var pump = bodies.PumpAsync();
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
            bodies.Input.Complete();
            transport.Input.CancelPendingRead();
            await pump;
            await bodies._output.StopAsync(connection.ConnectionClosed);
        }
    }

    /// <summary>Those of a request's connection; null: Kestrel has them all.</summary>
    public static StreamBodies? Of(HttpContext context) => context.Features.Get<StreamBodies>();

    /// <summary>Has a request read its body from here, where that is possible.</summary>
    /// <returns>Its <see cref="StreamBody.EndAsync"/> is to be called when the request is answered. Null: Kestrel has the body, or there is none.</returns>
    public static StreamBody? Take(HttpContext context)
    {
        if (Of(context) is not { } bodies || context.Features.Get<IHttp2StreamIdFeature>() is not { } stream) return null;

        // A length is compared with what comes, by Kestrel.
        if (bodies.Take(stream.StreamId, isForKestrel: context.Request.ContentLength is not null) is not { } body) return null;
        (body.OfKestrel, body.OfRequest) = (context.Request.BodyReader, context.Features.Get<IHttpResetFeature>());
        context.Features.Set<IRequestBodyPipeFeature>(body);
        context.Features.Set<IHttpMinRequestBodyDataRateFeature>(body);
        return body;
    }

    /// <summary>The gate of all bodies.</summary>
    public Lock.Scope Enter() => _gate.EnterScope();

    /// <summary>Under the gate: so much of a body may be sent again.</summary>
    public void Allow(StreamBody body, long bytes)
    {
        Allow(bytes);
        if (body.HasEnded) return;
        body.Owed += bytes;
        if (body.Owed < WindowBytes / 2) return;
        _output.Allow(body.Stream, (int)body.Owed);
        body.Owed = 0;
    }

    /// <summary>Under the gate: where a body's first message goes; null: it stays in the body.</summary>
    public RequestPayload? Place(StreamBody body, ReadOnlySpan<byte> head, int length)
    {
        // All of it must be able to come without anybody having read any of it.
        var beyond = length - Math.Min(length, _payloadLeft);
        if (StreamBody.PrefixBytes + length > WindowBytes || beyond > _window) return null;

        // A length is only said. Who may say it is known when the request is taken.
        var reserved = body.ReadBy == BodyReader.Unknown ? length : 0;
        if (_reserved + reserved > WindowBytes || _place(head, length) is not { } place) return null;
        _reserved += reserved;
        body.Reserved = reserved;
        if (beyond > _window - _output.Untold) _output.TellNow();
        return place;
    }

    /// <summary>Nobody reads a body any more.</summary>
    public void Drop(StreamBody body)
    {
        lock (_gate)
        {
            if (body.ReadBy != BodyReader.Request) return;
            Allow(body.BeDropped());
            if (body.HasEnded)
            {
                Forget(body);
                return;
            }

            // Whether more of it comes is the client's to say.
            _dropped.Enqueue(body);
            if (_dropped.Count > MostDropped && _dropped.Dequeue() is { HasEnded: false } oldest) _open.Remove(oldest.Stream);
        }
    }

    private StreamBody? Take(int stream, bool isForKestrel)
    {
        StreamBody? body;
        lock (_gate)
        {
            if (!_open.TryGetValue(stream, out body) || body.ReadBy != BodyReader.Unknown) return null;
            if (isForKestrel)
            {
                Release(body);
            }
            else
            {
                body.BeTaken(_slowest);
                Unreserve(body);
                if (body.HasEnded) AddDue(body);
            }

            _kestrel.Flush();
        }

        // A request does not wait for those behind it.
        _kestrel.GoOn(reads: false);
        return isForKestrel ? null : body;
    }

    private async Task PumpAsync()
    {
        var input = _transport.Input;
        Exception? error = null;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync();
                if (read.IsCanceled) break;
                SequencePosition sorted;
                lock (_gate)
                {
                    sorted = Sort(read.Buffer);
                    _body?.Deliver();
                }

                input.AdvanceTo(sorted, read.Buffer.End);
                if (!await _kestrel.FlushAsync() || read.IsCompleted) break;
            }
        }
        catch (Exception e)
        {
            // Whatever it is, Kestrel hears of it, which is who reads the connection.
            error = e;
        }

        lock (_gate)
        {
            _isClosed = true;
            _kestrel.Complete(error);
            foreach (var body in _open.Values) body.End(isBroken: true);
            foreach (var body in _open.Values.Concat(_due).Where(static body => body.ReadBy is BodyReader.Unknown or BodyReader.Kestrel)) body.BeDropped();
        }

        _kestrel.GoOn(reads: true);
    }

    // Returns how far it came.
    private SequencePosition Sort(ReadOnlySequence<byte> arrived)
    {
        _begun = 0;
        while (!arrived.IsEmpty)
        {
            if (_prefaceLeft > 0)
            {
                _prefaceLeft -= _kestrel.Forward(ref arrived, _prefaceLeft);
            }
            else if (_payloadLeft > 0)
            {
                _payloadLeft -= _body is { } body ? WriteTo(body, ref arrived) : _isHoldingBack ? HoldBack(ref arrived, _payloadLeft) : _kestrel.Forward(ref arrived, _payloadLeft);
                if (_payloadLeft + _paddingLeft == 0) EndFrame();
            }
            else if (_paddingLeft > 0)
            {
                var skipped = (int)Math.Min(_paddingLeft, arrived.Length);
                arrived = arrived.Slice(skipped);
                _paddingLeft -= skipped;
                if (_paddingLeft == 0) EndFrame();
            }
            else if (!TryBeginFrame(ref arrived))
            {
                break;
            }
        }

        // Nothing is on its way, or cannot be before somebody reads.
        if (_headOf is { } first && (!first.IsPlacing || first.Missing - (_body == first ? _payloadLeft : 0) > _window)) ForwardHead();
        if (_begun != 1 || _payloadLeft > 0 || !arrived.IsEmpty) OnlyStream = 0;
        return arrived.Start;
    }

    private bool TryBeginFrame(ref ReadOnlySequence<byte> arrived)
    {
        if (arrived.Length < FrameHead.Bytes) return false;
        Span<byte> bytes = stackalloc byte[FrameHead.Bytes + 1];
        var known = (int)Math.Min(arrived.Length, bytes.Length);
        arrived.Slice(0, known).CopyTo(bytes);
        _frame = FrameHead.Read(bytes);
        _body = null;
        if (!_isInHeaders && _frame.Type == FrameHead.Data && _frame.Length <= _limits.MaxFrameSize && _open.TryGetValue(_frame.Stream, out var body) && !body.HasEnded)
        {
            var padding = 0;
            if (_frame is { IsPadded: true, Length: > 0 })
            {
                if (known <= FrameHead.Bytes) return false;
                padding = bytes[FrameHead.Bytes] + 1;
            }

            if (padding <= _frame.Length && !(_frame.IsPadded && padding == 0))
            {
                BeginData(body, padding);
                arrived = arrived.Slice(FrameHead.Bytes + (padding > 0 ? 1 : 0));
                if (_payloadLeft + _paddingLeft == 0) EndFrame();
                return true;
            }
        }

        // Of streams and of what the connection does with them, all in their order. Clients allow answers before they send.
        if (_frame.Type == FrameHead.WindowUpdate && _frame.Stream == _headOf?.Stream && _head.WrittenCount + _frame.Length <= MostHeadBytes) _isHoldingBack = true;
        else if (_frame.Stream != 0 || _frame.Type == FrameHead.GoAway) ForwardHead();
        if (_frame.Type == FrameHead.Headers && !_isInHeaders) BeginHeaders(arrived);
        _payloadLeft = _frame.Length;
        if (_isHoldingBack) HoldBack(ref arrived, FrameHead.Bytes);
        else _kestrel.Forward(ref arrived, FrameHead.Bytes);
        if (_payloadLeft == 0) EndFrame();
        return true;
    }

    // Of a frame's length, all counts: the padding too.
    private void BeginData(StreamBody body, int padding)
    {
        _window -= _frame.Length;
        _body = body;
        _payloadLeft = _frame.Length - padding;
        _paddingLeft = Math.Max(padding - 1, 0);
        if (_window < 0 || body.Unpaid + _frame.Length > WindowBytes) throw new ConnectionAbortedException("The client sent more than it was allowed to.");
        if (padding == 0) return;
        Allow(padding);
        body.Owed += padding;
    }

    private void BeginHeaders(in ReadOnlySequence<byte> arrived)
    {
        if (_open.TryGetValue(_frame.Stream, out var known))
        {
            // Trailers. What they end must be before them.
            if (known.ReadBy == BodyReader.Unknown) Release(known);
            return;
        }

        if (_frame.Stream <= _highest) return;
        _highest = _frame.Stream;
        if (_frame.EndsStream || IsWhole(arrived))
        {
            Begin(_frame.Stream);
            return;
        }

        ReleaseOldest();

        var body = new StreamBody(this, _frame.Stream, _pipes.TryPop(out var pipe) ? pipe : new Pipe(_bodies));
        _open.Add(body.Stream, body);
        _unknown.Enqueue(body);
        _isHoldingBack = _frame.EndsHeaders && _frame.Length <= MostHeadBytes;
        if (_isHoldingBack) _headOf = body;
        else Begin(body.Stream);
    }

    private void Begin(int stream)
    {
        _begun++;
        OnlyStream = stream;
    }

    // All of a small request is there: Kestrel deals with it in one go.
    private bool IsWhole(in ReadOnlySequence<byte> arrived)
    {
        var behind = FrameHead.Bytes + _frame.Length;
        if (!_frame.EndsHeaders || arrived.Length < behind + FrameHead.Bytes) return false;
        Span<byte> bytes = stackalloc byte[FrameHead.Bytes];
        arrived.Slice(behind, FrameHead.Bytes).CopyTo(bytes);
        var next = FrameHead.Read(bytes);
        return next.Type == FrameHead.Data && next.EndsStream && next.Stream == _frame.Stream && next.Length <= MostHeadBytes && arrived.Length >= behind + FrameHead.Bytes + next.Length;
    }

    private void EndFrame()
    {
        switch (_frame.Type)
        {
            case FrameHead.Data when _body is { } body:
                if (_frame.EndsStream) End(body);
                else body.Deliver();
                break;
            case FrameHead.Headers or FrameHead.Continuation:
                _isInHeaders = !_frame.EndsHeaders;
                if (_frame is { Type: FrameHead.Headers, EndsStream: true } && _open.TryGetValue(_frame.Stream, out var trailed)) Close(trailed, isBroken: false);
                break;
            case FrameHead.Reset when _open.TryGetValue(_frame.Stream, out var reset):
                Close(reset, isBroken: true);
                break;
        }

        _body = null;
        _isHoldingBack = false;
        if (!IsForwarding) WriteDue();
    }

    private void End(StreamBody body)
    {
        body.End();
        if (body.ReadBy != BodyReader.Unknown) AddDue(body);
        if (body.ReadBy == BodyReader.Nobody) Forget(body);
    }

    // Kestrel knows of it already.
    private void Close(StreamBody body, bool isBroken)
    {
        body.End(isBroken);
        _due.Remove(body);
        if (body.ReadBy == BodyReader.Unknown)
        {
            Unreserve(body);
            Allow(body.BeDropped());
        }

        if (body.ReadBy == BodyReader.Nobody) Forget(body);
    }

    private void Forget(StreamBody body)
    {
        _open.Remove(body.Stream);
        if (!body.IsIdle || _pipes.Count >= MostPipes) return;
        body.Pipe.Reset();
        _pipes.Push(body.Pipe);
    }

    // Of requests that Kestrel refused, probably; before they use up what the client may send.
    private void ReleaseOldest()
    {
        while (_unknown.TryPeek(out var oldest))
        {
            var isUnknown = oldest.ReadBy == BodyReader.Unknown;
            if (isUnknown && !oldest.IsOld && _unknown.Count < MostUnknown && _window > _limits.InitialConnectionWindowSize / 2) break;
            _unknown.Dequeue();
            if (isUnknown) Release(oldest);
        }
    }

    private void Release(StreamBody body)
    {
        body.BeReleased();
        _open.Remove(body.Stream);
        Unreserve(body);
        AddDue(body);
    }

    private void Unreserve(StreamBody body)
    {
        _reserved -= body.Reserved;
        body.Reserved = 0;
    }

    private void AddDue(StreamBody body)
    {
        _due.Add(body);
        if (!IsForwarding) WriteDue();
    }

    // Between Kestrel's frames: what it shall have of bodies.
    private void WriteDue()
    {
        foreach (var body in _due)
        {
            if (_isClosed) break;
            if (body.ReadBy == BodyReader.Kestrel) Replay(body);
            else _kestrel.Write(FrameHead.OfData(body.Stream, 0, endsStream: true));
        }

        _due.Clear();
    }

    private void Replay(StreamBody body)
    {
        if (body == _headOf) ForwardHead();

        // Kestrel is the one that allows these to be sent again.
        _window += body.Unpaid;
        var left = body.Arrived();
        var isUnderWay = _body == body;
        do
        {
            var length = (int)Math.Min(left.Length, _limits.MaxFrameSize);
            var isLast = length == left.Length;
            if (length > 0 || (isLast && body.HasEnded)) _kestrel.Write(FrameHead.OfData(body.Stream, length, isLast && body.HasEnded));
            _kestrel.Forward(ref left, length);
        }
        while (!left.IsEmpty);

        body.BeDropped();
        if (!isUnderWay) return;
        _body = null;
        _window += _payloadLeft;
        if (_payloadLeft > 0 || _frame.EndsStream) _kestrel.Write(FrameHead.OfData(body.Stream, _payloadLeft, _frame.EndsStream));
    }

    private int WriteTo(StreamBody body, ref ReadOnlySequence<byte> arrived)
    {
        var length = (int)Math.Min(_payloadLeft, arrived.Length);
        body.Write(arrived.Slice(0, length));
        if (body.ReadBy == BodyReader.Nobody) Allow(body.PayAll());
        arrived = arrived.Slice(length);
        return length;
    }

    private int HoldBack(ref ReadOnlySequence<byte> arrived, int most)
    {
        var length = (int)Math.Min(most, arrived.Length);
        foreach (var segment in arrived.Slice(0, length)) _head.Write(segment.Span);
        arrived = arrived.Slice(length);
        return length;
    }

    // What Kestrel would do with it at once is begin a request that waits for its message: a thread woken for nothing.
    private void ForwardHead()
    {
        if (_headOf is null || _isHoldingBack || IsForwarding) return;
        Begin(_headOf.Stream);
        _headOf = null;
        _kestrel.Write(_head.WrittenSpan);
        _head.ResetWrittenCount();
    }

    private void Allow(long bytes)
    {
        if (bytes == 0) return;
        _window += bytes;
        _output.Allow((int)bytes);
    }

    // Once a second, by Kestrel's clock.
    private void Check()
    {
        List<StreamBody>? slow = null;
        lock (_gate)
        {
            if (_isClosed) return;
            if (_headOf is { IsOld: true }) ForwardHead();
            ReleaseOldest();
            foreach (var body in _unknown) body.IsOld = true;

            // With less left others may hold it up, as Kestrel sees it too.
            var mayBeSent = _window >= _limits.InitialConnectionWindowSize / 2;
            foreach (var body in _open.Values)
            {
                if (body.IsTooSlow(mayBeSent)) (slow ??= []).Add(body);
            }

            _kestrel.Flush();
        }

        // Kestrel's clock has no time for requests.
        _kestrel.GoOnElsewhere();
        _output.Beat();
        foreach (var body in slow ?? []) body.Reset();
    }
}

/// <summary>Says where a message may lie, from its first bytes alone.</summary>
/// <param name="head">What has come of it; fewer than all, or none.</param>
/// <param name="length">All its bytes.</param>
/// <returns>An empty payload with room for it, the caller's; null: nowhere.</returns>
internal delegate RequestPayload? MessagePlace(ReadOnlySpan<byte> head, int length);
