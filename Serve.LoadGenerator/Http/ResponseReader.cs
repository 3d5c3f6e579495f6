using System.Buffers.Text;
using System.Text;

namespace Serve.LoadGenerator.Http;

/// <summary>
/// Reads HTTP/1.1 responses (RFC 9112) as their bytes arrive, in pieces of any size, and keeps nothing of them but the
/// status and the beginning of the body. The bytes may come from anything: heads and lines are limited, whatever is no
/// response is refused. One response at a time; one thread at a time; allocates nothing after its first response.
/// </summary>
public sealed class ResponseReader
{
    /// <summary>The longest head, interim responses (1xx) included; trailers have as much again.</summary>
    public const int MostHeadBytes = 64 << 10;

    /// <summary>How much of a body is kept for messages.</summary>
    public const int KeptBodyBytes = 512;

    private const int MostChunkLineBytes = 4 << 10;
    private const int MostChunkDigits = 15;

    private readonly byte[] _kept = new byte[KeptBodyBytes];
    private byte[] _line = new byte[256];
    private int _lineLength;
    private int _budget;
    private int _keptLength;
    private State _state;
    private long _missing;
    private long _contentLength;
    private bool _isChunked;
    private bool _isOldVersion;
    private bool _saysClose;
    private bool _saysKeepAlive;

    public ResponseReader() => Begin();

    private enum State
    {
        StatusLine,
        Headers,
        SizedBody,
        BodyToTheEnd,
        ChunkSize,
        ChunkData,
        ChunkEnd,
        Trailers,
        Complete,
    }

    /// <summary>The status; 0 until it is known.</summary>
    public int Status { get; private set; }

    /// <summary>Bytes of the body so far, without what frames its chunks.</summary>
    public long BodyBytes { get; private set; }

    /// <summary>Whether any byte of the response has come.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Whether all of it has come.</summary>
    public bool IsComplete => _state == State.Complete;

    /// <summary>Whether the connection can carry another request; once it is complete.</summary>
    public bool KeepsAlive { get; private set; }

    /// <summary>The first bytes of the body.</summary>
    public ReadOnlySpan<byte> BodyStart => _kept.AsSpan(0, _keptLength);

    /// <summary>Makes it ready for the next response.</summary>
    public void Begin()
    {
        (Status, BodyBytes, HasBegun, KeepsAlive, _keptLength) = (0, 0, false, false, 0);
        (_lineLength, _budget, _missing) = (0, MostHeadBytes, 0);
        BeginHead();
    }

    /// <summary>Reads what has arrived, up to the end of the response.</summary>
    /// <returns>How many of the bytes belong to it: fewer than given only when it is complete.</returns>
    /// <exception cref="MalformedResponseException">It is no response.</exception>
    public int Read(ReadOnlySpan<byte> bytes)
    {
        var rest = bytes;
        if (!rest.IsEmpty) HasBegun = true;
        while (_state != State.Complete && (!rest.IsEmpty || _state is State.SizedBody && _missing == 0))
        {
            switch (_state)
            {
                case State.SizedBody:
                    if (TakeBody(ref rest)) Complete();
                    break;
                case State.ChunkData:
                    if (TakeBody(ref rest)) (_state, _budget) = (State.ChunkEnd, MostChunkLineBytes);
                    break;
                case State.BodyToTheEnd:
                    _missing = rest.Length;
                    TakeBody(ref rest);
                    break;
                default:
                    if (!TryTakeLine(ref rest, out var line)) return bytes.Length;
                    ReadLine(line);
                    _lineLength = 0;
                    break;
            }
        }

        return bytes.Length - rest.Length;
    }

    /// <summary>The server has closed its side.</summary>
    /// <returns>Whether that ends the response as it should: only one without a length ends so.</returns>
    public bool ReadEnd()
    {
        if (_state == State.BodyToTheEnd) Complete();
        return IsComplete;
    }

    private void BeginHead()
    {
        (_state, _contentLength, _isChunked, _saysClose, _saysKeepAlive, _isOldVersion) = (State.StatusLine, -1, false, false, false, false);
    }

    private void ReadLine(ReadOnlySpan<byte> line)
    {
        switch (_state)
        {
            case State.StatusLine:
                ReadStatusLine(line);
                _state = State.Headers;
                break;
            case State.Headers when line.IsEmpty:
                EndHead();
                break;
            case State.Headers:
                ReadHeader(line);
                break;
            case State.ChunkSize:
                ReadChunkSize(line);
                break;
            case State.ChunkEnd when line.IsEmpty:
                (_state, _budget) = (State.ChunkSize, MostChunkLineBytes);
                break;
            case State.ChunkEnd:
                throw new MalformedResponseException("A chunk of the body does not end where its size says.");
            case State.Trailers when line.IsEmpty:
                Complete();
                break;
        }
    }

    // HTTP/1.1 200 OK; the words after the number may be missing, with or without the space before them.
    private void ReadStatusLine(ReadOnlySpan<byte> line)
    {
        var isHttp = line.Length >= 12 && line.StartsWith("HTTP/1."u8) && line[7] is (byte)'0' or (byte)'1' && line[8] == ' ';
        if (!isHttp || !Utf8Parser.TryParse(line[9..12], out int status, out var digits) || digits != 3 || status is < 100 or > 599 || (line.Length > 12 && line[12] != ' '))
            throw new MalformedResponseException($"The response does not begin with an HTTP/1.1 status line, but with '{Shown(line)}'.");
        Status = status;
        _isOldVersion = line[7] == '0';
    }

    private void ReadHeader(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        if (colon <= 0) throw new MalformedResponseException($"'{Shown(line)}' is no header.");
        var name = line[..colon];
        var value = Trim(line[(colon + 1)..]);
        if (Ascii.EqualsIgnoreCase(name, "content-length"u8)) ReadContentLength(value);
        else if (Ascii.EqualsIgnoreCase(name, "transfer-encoding"u8)) ReadTransferEncoding(value);
        else if (Ascii.EqualsIgnoreCase(name, "connection"u8)) ReadConnection(value);
    }

    private void ReadContentLength(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || value.ContainsAnyExceptInRange((byte)'0', (byte)'9') || !Utf8Parser.TryParse(value, out long length, out _))
            throw new MalformedResponseException($"'{Shown(value)}' is no Content-Length.");
        if (_contentLength >= 0 && _contentLength != length) throw new MalformedResponseException($"The response has two lengths, {_contentLength} and {length}.");
        _contentLength = length;
    }

    private void ReadTransferEncoding(ReadOnlySpan<byte> value)
    {
        if (_isChunked || !Ascii.EqualsIgnoreCase(value, "chunked"u8)) throw new MalformedResponseException($"The transfer encoding '{Shown(value)}' was not asked for.");
        _isChunked = true;
    }

    private void ReadConnection(ReadOnlySpan<byte> value)
    {
        foreach (var range in value.Split((byte)','))
        {
            var option = Trim(value[range]);
            if (Ascii.EqualsIgnoreCase(option, "close"u8)) _saysClose = true;
            else if (Ascii.EqualsIgnoreCase(option, "keep-alive"u8)) _saysKeepAlive = true;
        }
    }

    private void EndHead()
    {
        if (Status == 101) throw new MalformedResponseException("The server switched to another protocol, which nobody asked for.");
        if (Status < 200)
        {
            // An interim response: the real one follows, and both share one budget.
            Status = 0;
            BeginHead();
            return;
        }

        if (_isChunked && _contentLength >= 0) throw new MalformedResponseException("The response has a Content-Length and is chunked: where it ends cannot be told.");
        if (Status is 204 or 304) Complete();
        else if (_isChunked) (_state, _budget) = (State.ChunkSize, MostChunkLineBytes);
        else if (_contentLength >= 0) (_state, _missing) = (State.SizedBody, _contentLength);
        else (_state, _saysClose) = (State.BodyToTheEnd, true);
    }

    // 1a2b;name=value
    private void ReadChunkSize(ReadOnlySpan<byte> line)
    {
        var end = line.IndexOf((byte)';');
        var digits = Trim(end < 0 ? line : line[..end]);
        if (digits.Length is 0 or > MostChunkDigits || !Utf8Parser.TryParse(digits, out long size, out var used, 'x') || used != digits.Length)
            throw new MalformedResponseException($"'{Shown(line)}' is no size of a chunk.");
        if (size == 0) (_state, _budget) = (State.Trailers, MostHeadBytes);
        else (_state, _missing) = (State.ChunkData, size);
    }

    private void Complete()
    {
        _state = State.Complete;
        KeepsAlive = !_saysClose && (!_isOldVersion || _saysKeepAlive);
    }

    private bool TakeBody(ref ReadOnlySpan<byte> rest)
    {
        var count = (int)Math.Min(_missing, rest.Length);
        var kept = Math.Min(count, KeptBodyBytes - _keptLength);
        rest[..kept].CopyTo(_kept.AsSpan(_keptLength));
        _keptLength += kept;
        BodyBytes += count;
        _missing -= count;
        rest = rest[count..];
        return _missing == 0;
    }

    // Whole lines are read where they lie; only one that a piece cuts in two is copied.
    private bool TryTakeLine(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> line)
    {
        var end = rest.IndexOf((byte)'\n');
        var count = end < 0 ? rest.Length : end + 1;
        _budget -= count;
        if (_budget < 0) throw new MalformedResponseException(_state is State.ChunkSize or State.ChunkEnd ? $"The size of a chunk takes more than {MostChunkLineBytes} bytes." : $"The response's head is longer than {MostHeadBytes} bytes.");

        if (_lineLength > 0 || end < 0)
        {
            if (_line.Length < _lineLength + count) Array.Resize(ref _line, Math.Max(_lineLength + count, 2 * _line.Length));
            rest[..count].CopyTo(_line.AsSpan(_lineLength));
            _lineLength += count;
            line = _line.AsSpan(0, _lineLength);
        }
        else
        {
            line = rest[..count];
        }

        rest = rest[count..];
        if (end < 0) return false;
        line = line[..^1];
        if (line is [.., (byte)'\r']) line = line[..^1];
        return true;
    }

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> value) => value.Trim(" \t"u8);

    private static string Shown(ReadOnlySpan<byte> bytes) =>
        string.Concat(Encoding.Latin1.GetString(bytes[..Math.Min(bytes.Length, 60)]).Select(letter => letter is >= ' ' and <= '~' ? letter : '.'));
}
