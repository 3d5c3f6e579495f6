using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text;

namespace Serve.Frontend.Logging;

/// <summary>A line while it is made, in UTF-8: grows, and is used again for the next one.</summary>
internal sealed class LineBuffer
{
    private const string Seconds = "yyyy-MM-dd'T'HH:mm:ss";

    // A longer one, with an exception for example, leaves its memory to the collector.
    private const int MostKept = 4096;

    private static readonly SearchValues<char> Controls = SearchValues.Create([.. Enumerable.Range(0, 0xA0).Select(code => (char)code).Where(char.IsControl)]);

    [ThreadStatic]
    private static LineBuffer? _ofThread;

    private readonly byte[] _secondText = new byte[19];
    private readonly byte[] _addressText = new byte[64];
    private IPAddress? _address;
    private int _addressLength;
    private byte[] _text = new byte[256];
    private int _length;
    private long _second = -1;

    /// <summary>The line so far.</summary>
    public ReadOnlySpan<byte> Text => _text.AsSpan(0, _length);

    /// <summary>The thread's own, empty: for a line that is handed over before the next one is begun.</summary>
    public static LineBuffer OfThread() => (_ofThread ??= new LineBuffer()).Clear();

    /// <summary>Begins another line.</summary>
    public LineBuffer Clear()
    {
        if (_text.Length > MostKept) _text = new byte[256];
        _length = 0;
        return this;
    }

    /// <summary>Appends bytes of UTF-8.</summary>
    public LineBuffer Append(ReadOnlySpan<byte> text)
    {
        text.CopyTo(Room(text.Length));
        _length += text.Length;
        return this;
    }

    /// <summary>Appends a letter of ASCII.</summary>
    public LineBuffer Append(byte letter)
    {
        Room(1)[0] = letter;
        _length++;
        return this;
    }

    /// <summary>Appends text that has no line ends.</summary>
    public LineBuffer Append(ReadOnlySpan<char> text)
    {
        // Most text is ASCII, of which it is known at once how long it becomes.
        if (Ascii.FromUtf16(text, Room(text.Length), out var written) != OperationStatus.Done) written = Encoding.UTF8.GetBytes(text, Room(Encoding.UTF8.GetMaxByteCount(text.Length)));
        _length += written;
        return this;
    }

    public LineBuffer Append(long number)
    {
        Utf8Formatter.TryFormat(number, Room(20), out var written);
        _length += written;
        return this;
    }

    /// <summary>Appends an address, which is often that of the line before: of a proxy, or of this machine.</summary>
    public LineBuffer Append(IPAddress address)
    {
        if (!address.Equals(_address))
        {
            address.TryFormat(_addressText, out _addressLength);
            _address = address;
        }

        return Append(_addressText.AsSpan(0, _addressLength));
    }

    /// <summary>Appends a time with milliseconds (UTC), which most lines share but for those.</summary>
    /// <param name="at">The time.</param>
    /// <param name="separator">Between the seconds and their fraction; ASCII.</param>
    public LineBuffer Append(DateTimeOffset at, byte separator)
    {
        var time = at.UtcDateTime;
        var second = time.Ticks / TimeSpan.TicksPerSecond;
        if (second != _second)
        {
            time.TryFormat(_secondText, out _, Seconds, CultureInfo.InvariantCulture);
            _second = second;
        }

        Append(_secondText);
        var fraction = time.Millisecond;
        var room = Room(4);
        (room[0], room[1], room[2], room[3]) = (separator, (byte)('0' + fraction / 100), (byte)('0' + fraction / 10 % 10), (byte)('0' + fraction % 10));
        _length += 4;
        return this;
    }

    /// <summary>Appends text that stays on its line: a model's name or a client's header must not be able to forge one, nor to move the cursor.</summary>
    public LineBuffer AppendOneLine(ReadOnlySpan<char> text)
    {
        // Most text is what can be printed of ASCII.
        var room = Room(text.Length);
        if (Ascii.FromUtf16(text, room, out var written) == OperationStatus.Done && !room[..written].ContainsAnyExceptInRange((byte)' ', (byte)'~'))
        {
            _length += written;
            return this;
        }

        // One look for each: a worker's line may be long, and full of them.
        while (text.IndexOfAny(Controls) is >= 0 and var at)
        {
            Append(text[..at]);
            Append(text[at] switch
            {
                '\n' => "\\n"u8,
                '\r' => ""u8,
                '\t' => " "u8,
                _ => "?"u8,
            });
            text = text[(at + 1)..];
        }

        return Append(text);
    }

    private Span<byte> Room(int count)
    {
        if (_text.Length - _length < count) Array.Resize(ref _text, Math.Max(2 * _text.Length, _length + count));
        return _text.AsSpan(_length);
    }
}
