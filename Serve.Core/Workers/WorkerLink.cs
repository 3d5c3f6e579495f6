using System.Net.Sockets;
using System.Text;
using Serve.Core.Errors;
using Serve.Core.Models;
using Serve.Core.Protocol;

namespace Serve.Core.Workers;

/// <summary>
/// The frontend's end of the socket to one worker: a reader that parses whole chunks, and a sender. The reader is the thread
/// that waits for the server's sockets, or one of its own that blocks. The first writes an answer to a connection that it has
/// just read, so both find their data in the same processor's cache; where threads of the pool carry requests, an own one
/// saves a wake-up. Hot path: a chunk is parsed without a lock, applied under one, and what that makes possible is sent before
/// anything is completed.
/// </summary>
internal sealed class WorkerLink : IDisposable
{
    private readonly Socket _socket;
    private readonly FrameReader _reader;
    private readonly IWorkerLinkOwner _owner;
    private readonly TimeProvider _time;
    private readonly List<LinkEvent> _events = [];
    private readonly List<ulong> _ids = [];
    private readonly Thread? _thread;
    private Task _reading = Task.CompletedTask;
    private byte[] _contentTypeBytes = [];
    private string? _contentType;
    private long _lastHeard;
    private bool _isDisposed;

    /// <summary>Takes a socket, and begins to read with <see cref="Start"/>.</summary>
    /// <param name="socket">Connected and blocking; it is the link's from here on.</param>
    /// <param name="owner">Whom it tells what it reads.</param>
    /// <param name="time">The clock.</param>
    /// <param name="name">Of its threads.</param>
    /// <param name="onSocketThread">Whether the thread that waits for sockets reads, which takes completions inline; else one of its own.</param>
    public WorkerLink(Socket socket, IWorkerLinkOwner owner, TimeProvider time, string name, bool onSocketThread)
    {
        _socket = socket;
        _owner = owner;
        _time = time;
        _lastHeard = time.GetTimestamp();
        _reader = new FrameReader(socket);
        Sender = new FrameSender(socket, $"{name}-send");
        if (!onSocketThread) _thread = new Thread(() => ReadAsync().GetAwaiter().GetResult()) { IsBackground = true, Name = $"{name}-read" };
    }

    /// <summary>Frames to the worker.</summary>
    public FrameSender Sender { get; }

    /// <summary>The bodies that the worker may be reading where they lie; null: it reads none, or is not ready.</summary>
    public SharedBodyHolds? Holds { get; set; }

    /// <summary>Starts reading.</summary>
    public void Start()
    {
        if (_thread is null) _reading = ReadAsync();
        else _thread.Start();
    }

    /// <summary>When the worker was last heard, as a timestamp. What it has sent and nobody has read yet counts as now.</summary>
    public long LastHeardTimestamp
    {
        get
        {
            try
            {
                if (_socket.Available > 0) return _time.GetTimestamp();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The reader reports the end of the connection.
            }

            return Volatile.Read(ref _lastHeard);
        }
    }

    /// <summary>Treats the worker as heard now, after the frontend itself was stopped for a while.</summary>
    public void ForgiveSilence() => Volatile.Write(ref _lastHeard, _time.GetTimestamp());

    /// <summary>Closes the connection; the reader ends and reports it. Not to be called by the reader.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, true)) return;
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (SocketException)
        {
            // It was broken already, which is as good.
        }

        Sender.Dispose();
        if (_thread is { IsAlive: true }) _thread.Join();
        _reading.Wait();
        _socket.Dispose();
    }

    // With a thread of its own nothing here is ever awaited, so that it is that thread all along.
    private async Task ReadAsync()
    {
        var reason = "it closed the connection";
        var isApplying = false;
        try
        {
            while (_thread is null ? _reader.Received(await _socket.ReceiveAsync(_reader.Space(), SocketFlags.None).ConfigureAwait(false)) : _reader.Receive())
            {
                Volatile.Write(ref _lastHeard, _time.GetTimestamp());
                while (_reader.TryRead()) Parse();
                if (_events.Count == 0) continue;
                isApplying = true;
                _reader.IsPeerQuick = _owner.Apply(_events, _ids);
                isApplying = false;
                _events.Clear();
                _ids.Clear();
            }
        }
        catch (SocketException e)
        {
            // A worker killed with unread bytes in its queue: what it had written has been read before.
            reason = $"the connection broke ({e.SocketErrorCode})";
        }
        catch (ObjectDisposedException)
        {
            reason = "the connection was closed";
        }
        catch (ProtocolException e)
        {
            reason = $"it broke the protocol: {e.Message}";
        }
        catch (Exception e)
        {
            reason = $"its frames could not be handled: {e}";
        }

        // Those of a chunk that was being applied may be others' already.
        if (!isApplying && _events.Count > 0) reason = ApplyLast(reason);
        _reader.Dispose();
        _owner.Closed(reason);
    }

    // The whole frames before one that cannot be understood: an answer is one all the same, and who had begun is no bystander.
    private string ApplyLast(string reason)
    {
        try
        {
            _owner.Apply(_events, _ids);
            return reason;
        }
        catch (Exception e)
        {
            return $"its frames could not be handled: {e}";
        }
    }

    private void Parse()
    {
        var header = _reader.Header;
        switch (header.Type)
        {
            case FrameType.Output:
                _events.Add(ParseOutput(header));
                break;
            case FrameType.Begun or FrameType.Returned:
                var ids = IdListFrame.Parse(_reader.Body);
                foreach (var id in ids) _ids.Add(id);
                _events.Add(new LinkEvent(header.Type, header.Id, ids.Length, false, null, null));
                break;
            case FrameType.Grant:
                var rows = new SpanFields(_reader.Body).UInt32();
                _events.Add(new LinkEvent(header.Type, 0, (int)Math.Min(rows, 1 << 20), false, null, null));
                break;
            case FrameType.Freed:
                Holds?.Release(header.Id);
                break;
            case FrameType.Gauge:
                _owner.Gauge(ProtocolJson.Read(_reader.Body, ProtocolJson.Default.GaugeMessage));
                break;
            case FrameType.Hello:
                _owner.Hello(ProtocolJson.Read(_reader.Body, ProtocolJson.Default.HelloMessage));
                break;
            case FrameType.Ready:
                _owner.Ready(ProtocolJson.Read(_reader.Body, ProtocolJson.Default.ReadyMessage));
                break;
            case FrameType.LoadFailed:
                _owner.LoadFailed(ProtocolJson.Read(_reader.Body, ProtocolJson.Default.LoadFailedMessage));
                break;
            default:
                // A newer worker may say more than this frontend understands.
                break;
        }
    }

    private LinkEvent ParseOutput(in FrameHeader header)
    {
        var output = OutputFrame.Parse(_reader.Body);
        var isLast = (header.Flags & FrameHeader.Last) != 0;
        if (!isLast && (output.Status == 499 || output.IsError)) throw new ProtocolException($"An Output with the error {output.Status} after which more is to come.");
        if (output.Status == 499) return new LinkEvent(FrameType.Output, header.Id, 0, isLast, null, new ClientGoneException());
        if (output.IsError)
        {
            var error = ProtocolJson.Read(output.Body, ProtocolJson.Default.ErrorMessage);
            return new LinkEvent(FrameType.Output, header.Id, 0, isLast, null, new WorkerFailedException(output.Status, error, _owner.Id));
        }

        var response = InferenceResponse.Rent(output.Status, ContentType(output.ContentType), output.ReadHeaders(), output.Times);
        if (output.Body.Length > FrameSender.CopyLimitBytes)
        {
            // The reader received it into an array of its own: hand that over instead of copying it once more.
            var (offset, length) = (header.Length - output.Body.Length, output.Body.Length);
            response.Adopt(_reader.TakeBody(), offset, length);
        }
        else
        {
            response.Append(output.Body);
        }

        return new LinkEvent(FrameType.Output, header.Id, 0, isLast, response, null);
    }

    // One worker's answers nearly always have the same type.
    private string? ContentType(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return null;
        if (_contentType is not null && bytes.SequenceEqual(_contentTypeBytes)) return _contentType;
        _contentTypeBytes = bytes.ToArray();
        return _contentType = Encoding.ASCII.GetString(bytes);
    }
}

/// <summary>Whom a link tells what it reads. One call at a time; none may wait, for the thread may be one that carries connections.</summary>
internal interface IWorkerLinkOwner
{
    /// <summary>The worker's name in the log.</summary>
    string Id { get; }

    void Hello(HelloMessage message);

    void Ready(ReadyMessage message);

    void LoadFailed(LoadFailedMessage message);

    void Gauge(GaugeMessage message);

    /// <summary>One chunk's frames. The lists are the link's and are reused.</summary>
    /// <returns>Whether the worker answers within microseconds.</returns>
    bool Apply(List<LinkEvent> events, List<ulong> ids);

    /// <summary>The last call.</summary>
    void Closed(string reason);
}
