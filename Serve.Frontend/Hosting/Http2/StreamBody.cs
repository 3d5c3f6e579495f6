using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Serve.Core.Protocol;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// The body of one stream, as its request reads it. It is gRPC's: messages, each behind five bytes with its length, and whoever
/// waits is woken when a message is whole, not for each piece of it.
/// </summary>
/// <remarks>What its owner calls, it calls under its gate.</remarks>
/// <param name="owner">Speaks for it to the client and to Kestrel.</param>
/// <param name="stream">The stream's number.</param>
/// <param name="pipe">Where its bytes wait.</param>
internal sealed class StreamBody(StreamBodies owner, int stream, Pipe pipe) : PipeReader, IRequestBodyPipeFeature, IHttpMinRequestBodyDataRateFeature
{
    /// <summary>What is before a message: whether it is compressed, and its length.</summary>
    public const int PrefixBytes = 5;

    // RFC 9113, section 7: the client's behavior might be generating excessive load.
    private const int EnhanceYourCalm = 0xB;

    private readonly byte[] _prefix = new byte[PrefixBytes];
    private int _prefixed;
    private long _messageLeft;
    private bool _isMessageDue;

    // Where the first message lies, if not in the pipe; what is before and behind it does.
    private RequestPayload? _place;
    private bool _hasBegun;
    private bool _isPlacing;

    // What is being read, and where in the body that begins.
    private ReadResult _read;
    private ReadOnlySequence<byte> _shown;
    private long _shownOfPlace;
    private long _position;

    private long _received;
    private long _allowed;

    // Somebody waits; and what it waits for is not there yet, since so many seconds.
    private bool _isWaiting;
    private bool _isWanted;
    private int _secondsWanted;
    private long _receivedBefore;

    /// <summary>The stream's number.</summary>
    public int Stream => stream;

    /// <summary>Who reads it.</summary>
    public BodyReader ReadBy { get; private set; }

    /// <summary>Whether nothing more comes.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Whether its pipe can serve another: nobody writes and nobody reads.</summary>
    public bool IsIdle => HasEnded && ReadBy == BodyReader.Nobody && !_isWaiting;

    /// <summary>Its pipe.</summary>
    public Pipe Pipe => pipe;

    /// <summary>Kestrel's reader of the same body.</summary>
    public PipeReader? OfKestrel { get; set; }

    /// <summary>Ends the stream; null: nobody can.</summary>
    public IHttpResetFeature? OfRequest { get; set; }

    /// <summary>Bytes of its first message that are still to come; 0 where it is not placed.</summary>
    public long Missing => IsPlacing ? _messageLeft : 0;

    /// <summary>Bytes that came and that the client was not allowed to send again.</summary>
    public long Unpaid => _received - _allowed;

    /// <summary>Whether its first message is on its way to where it will lie.</summary>
    public bool IsPlacing => _isPlacing && !HasEnded;

    /// <summary>Its first message, whole, where it was placed; else empty. For its request, before that reads.</summary>
    public ReadOnlyMemory<byte> Placed => _isPlacing ? default : _place?.Body ?? default;

    /// <summary>Bytes that it may take of its owner's for messages of which nobody knows yet whether anybody wants them.</summary>
    public int Reserved { get; set; }

    /// <summary>Whether it has been there for a while.</summary>
    public bool IsOld { get; set; }

    /// <summary>Bytes that the client may send again on this stream, and was not told of yet.</summary>
    public long Owed { get; set; }

    /// <inheritdoc/>
    public PipeReader Reader => this;

    /// <summary>How fast it must come while somebody waits for it; null: as it likes.</summary>
    public MinDataRate? MinDataRate { get; set; }

    /// <summary>A piece has come.</summary>
    public void Write(in ReadOnlySequence<byte> piece)
    {
        _received += piece.Length;
        if (ReadBy == BodyReader.Nobody) return;
        foreach (var segment in piece) Write(segment.Span);
        if (_isWanted) Pay(_received);
    }

    /// <summary>Wakes who waits, if a message is whole.</summary>
    public void Deliver()
    {
        if (!_isMessageDue || HasEnded || ReadBy != BodyReader.Request) return;
        (_isMessageDue, _isWanted) = (false, false);
        Flush();
    }

    /// <summary>Nothing more comes.</summary>
    /// <param name="isBroken">It is not whole; Kestrel knows why.</param>
    public void End(bool isBroken = false)
    {
        if (HasEnded) return;
        (HasEnded, _isWanted) = (true, false);
        pipe.Writer.Complete(isBroken ? new EndOfStreamException() : null);
    }

    /// <summary>The request reads it from now on.</summary>
    /// <param name="slowest">How fast it must come; null: as it likes.</param>
    public void BeTaken(MinDataRate? slowest)
    {
        (ReadBy, MinDataRate) = (BodyReader.Request, slowest);
        Deliver();
    }

    /// <summary>Kestrel reads it from now on: what has come so far, <see cref="Arrived"/>, and all that follows.</summary>
    public void BeReleased() => ReadBy = BodyReader.Kestrel;

    /// <summary>What has come so far of one that was released.</summary>
    public ReadOnlySequence<byte> Arrived()
    {
        if (!HasEnded) Flush();
        return pipe.Reader.TryRead(out var read) ? Show(read).Buffer : default;
    }

    /// <summary>Nobody reads it any more.</summary>
    /// <returns>So many bytes may be sent again.</returns>
    public long BeDropped()
    {
        ReadBy = BodyReader.Nobody;
        if (_isWaiting) pipe.Reader.CancelPendingRead();
        pipe.Reader.Complete();
        LeavePlace();
        (_read, _shown) = (default, default);
        return PayAll();
    }

    /// <summary>What came may come again.</summary>
    /// <returns>So many bytes.</returns>
    public long PayAll()
    {
        var due = Unpaid;
        _allowed = _received;
        return due;
    }

    /// <summary>A second passes.</summary>
    /// <param name="mayBeSent">Whether the client could send more of it: else it is not the client that is slow.</param>
    /// <returns>Whether it comes more slowly than it must.</returns>
    public bool IsTooSlow(bool mayBeSent)
    {
        if (!_isWanted || MinDataRate is not { } slowest) return false;
        if (!mayBeSent)
        {
            (_secondsWanted, _receivedBefore) = (0, _received);
            return false;
        }

        return ++_secondsWanted > slowest.GracePeriod.TotalSeconds && (double)(_received - _receivedBefore) / _secondsWanted < slowest.BytesPerSecond;
    }

    /// <summary>Ends the stream, of which more is expected.</summary>
    public void Reset()
    {
        using (owner.Enter()) End(isBroken: true);
        OfRequest?.Reset(EnhanceYourCalm);
    }

    /// <summary>The request is answered: nobody reads it any more.</summary>
    public async ValueTask EndAsync()
    {
        owner.Drop(this);
        if (!HasEnded || OfKestrel is not { } reader) return;
        try
        {
            // That it has ended is on its way to Kestrel. A stream that is done before looks to it as if its body had not been
            // wanted: it would be reset.
            var read = await reader.ReadAsync();
            reader.AdvanceTo(read.Buffer.End);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ConnectionAbortedException or Microsoft.AspNetCore.Http.BadHttpRequestException or InvalidOperationException)
        {
            // The stream was reset.
        }
    }

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result)
    {
        if (!pipe.Reader.TryRead(out result)) return false;
        result = Show(result);
        return true;
    }

    /// <inheritdoc/>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            var read = pipe.Reader.ReadAsync(cancellationToken);
            return read.IsCompletedSuccessfully ? new(Show(read.Result)) : WaitAsync(read);
        }
        catch (EndOfStreamException) when (OfKestrel is not null)
        {
            return OfKestrel.ReadAsync(cancellationToken);
        }
    }

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var (read, seen) = (_shown.Slice(0, consumed).Length, _shown.Slice(0, examined).Length);
        var (from, to) = (consumed, examined);
        using (owner.Enter())
        {
            if (_place is not null)
            {
                (from, to) = (InPipe(read), InPipe(seen));
                if (read >= PrefixBytes + _shownOfPlace) LeavePlace();
                else if (read > 0) throw new NotSupportedException("A message is read whole.");
            }

            _position += read;
            Pay(_position - read + seen);
        }

        pipe.Reader.AdvanceTo(from, to);
    }

    /// <inheritdoc/>
    public override void CancelPendingRead() => pipe.Reader.CancelPendingRead();

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null) => owner.Drop(this);

    // Who waits wants all that comes: otherwise a message that is larger than the window would never be whole.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read)
    {
        using (owner.Enter())
        {
            _isWaiting = true;

            // Unless it has just come.
            _isWanted = !read.IsCompleted;
            (_secondsWanted, _receivedBefore) = (0, _received);
            if (_isWanted) Pay(_received);
        }

        try
        {
            return Show(await read);
        }
        catch (EndOfStreamException) when (OfKestrel is not null)
        {
            // As if it had been read there.
            return await OfKestrel.ReadAsync();
        }
        finally
        {
            using (owner.Enter()) (_isWaiting, _isWanted) = (false, false);
        }
    }

    private void Pay(long seen)
    {
        if (seen <= _allowed || ReadBy != BodyReader.Request) return;
        var bytes = seen - _allowed;
        _allowed = seen;
        owner.Allow(this, bytes);
    }

    // Nothing to wait for: the pipe has no limit but what the client may send.
    private void Flush()
    {
        var flushed = pipe.Writer.FlushAsync();
        if (flushed.IsCompleted) flushed.GetAwaiter().GetResult();
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_messageLeft > 0)
            {
                var taken = (int)Math.Min(_messageLeft, bytes.Length);
                if (_isPlacing) _place!.Write(bytes[..taken]);
                else pipe.Writer.Write(bytes[..taken]);
                bytes = bytes[taken..];
                _messageLeft -= taken;
                if (_messageLeft == 0) (_isPlacing, _isMessageDue) = (false, true);
                continue;
            }

            var more = Math.Min(PrefixBytes - _prefixed, bytes.Length);
            bytes[..more].CopyTo(_prefix.AsSpan(_prefixed));
            pipe.Writer.Write(bytes[..more]);
            bytes = bytes[more..];
            _prefixed += more;
            if (_prefixed == PrefixBytes) BeginMessage(bytes);
        }
    }

    private void BeginMessage(ReadOnlySpan<byte> head)
    {
        _prefixed = 0;
        _messageLeft = BinaryPrimitives.ReadUInt32BigEndian(_prefix.AsSpan(1));
        var isFirst = !_hasBegun;
        _hasBegun = true;

        // By its length it is decided whether one that is too large is read at all.
        if (_messageLeft == 0 || _messageLeft > owner.WindowBytes)
        {
            _isMessageDue = true;
        }
        else if (isFirst && _prefix[0] == 0)
        {
            _place = owner.Place(this, head, (int)_messageLeft);
            _isPlacing = _place is not null;
        }
    }

    private ReadResult Show(ReadResult read)
    {
        _read = read;
        _shown = read.Buffer;
        if (_place is not { } place || read.Buffer.Length < PrefixBytes) return read;
        var prefix = new BytesSegment(read.Buffer.First[..PrefixBytes], 0);
        var message = new PlacedMessage(place, prefix);
        _shownOfPlace = message.Memory.Length;
        ReadOnlySequenceSegment<byte> last = message;
        foreach (var behind in read.Buffer.Slice(PrefixBytes))
        {
            if (behind.IsEmpty) continue;
            var segment = new BytesSegment(behind, last.RunningIndex + last.Memory.Length);
            if (last is BytesSegment before) before.Append(segment);
            else message.Append(segment);
            last = segment;
        }

        _shown = new ReadOnlySequence<byte>(prefix, 0, last, last.Memory.Length);
        return new ReadResult(_shown, read.IsCanceled, read.IsCompleted);
    }

    // Of what is shown, so much is in the pipe.
    private SequencePosition InPipe(long shown) =>
        _read.Buffer.GetPosition(shown <= PrefixBytes ? shown : Math.Max(PrefixBytes, shown - _shownOfPlace));

    private void LeavePlace()
    {
        _place?.Release();
        _place = null;
    }
}

/// <summary>Who reads a body.</summary>
internal enum BodyReader
{
    /// <summary>It is not known yet.</summary>
    Unknown,

    /// <summary>Its request.</summary>
    Request,

    /// <summary>Kestrel, as if nothing were between it and the client.</summary>
    Kestrel,

    /// <summary>Nobody any more: its request is answered.</summary>
    Nobody,
}
