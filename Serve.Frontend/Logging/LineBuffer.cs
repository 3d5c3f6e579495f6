using System.Globalization;
using System.Net;

namespace Serve.Frontend.Logging;

/// <summary>A line while it is made: grows, and is used again for the next one.</summary>
internal sealed class LineBuffer
{
    private const string Seconds = "yyyy-MM-dd'T'HH:mm:ss";

    private char[] _text = new char[256];
    private int _length;
    private long _second = -1;
    private readonly char[] _secondText = new char[19];

    /// <summary>The line so far.</summary>
    public ReadOnlySpan<char> Text => _text.AsSpan(0, _length);

    /// <summary>Begins another line.</summary>
    public LineBuffer Clear()
    {
        _length = 0;
        return this;
    }

    public LineBuffer Append(char letter)
    {
        Room(1)[0] = letter;
        _length++;
        return this;
    }

    public LineBuffer Append(ReadOnlySpan<char> text)
    {
        text.CopyTo(Room(text.Length));
        _length += text.Length;
        return this;
    }

    public LineBuffer Append(long number)
    {
        number.TryFormat(Room(20), out var written, default, CultureInfo.InvariantCulture);
        _length += written;
        return this;
    }

    public LineBuffer Append(IPAddress address)
    {
        address.TryFormat(Room(64), out var written);
        _length += written;
        return this;
    }

    /// <summary>Appends a time with milliseconds (UTC), which most lines share but for those.</summary>
    /// <param name="at">The time.</param>
    /// <param name="separator">Between the seconds and their fraction.</param>
    public LineBuffer Append(DateTimeOffset at, char separator)
    {
        var time = at.UtcDateTime;
        var second = time.Ticks / TimeSpan.TicksPerSecond;
        if (second != _second)
        {
            time.TryFormat(_secondText, out _, Seconds, CultureInfo.InvariantCulture);
            _second = second;
        }

        Append(_secondText).Append(separator);
        var fraction = time.Millisecond;
        var room = Room(3);
        (room[0], room[1], room[2]) = ((char)('0' + fraction / 100), (char)('0' + fraction / 10 % 10), (char)('0' + fraction % 10));
        _length += 3;
        return this;
    }

    /// <summary>Appends text that stays on its line: a model's name or a client's header must not be able to forge one, nor to move the cursor.</summary>
    public LineBuffer AppendOneLine(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyInRange('\0', '\x1f') && !text.ContainsAnyInRange('\x7f', '\x9f')) return Append(text);
        foreach (var letter in text)
        {
            switch (letter)
            {
                case '\n': Append("\\n"); break;
                case '\r': break;
                case '\t': Append(' '); break;
                case var c when char.IsControl(c): Append('?'); break;
                default: Append(letter); break;
            }
        }

        return this;
    }

    public override string ToString() => Text.ToString();

    private Span<char> Room(int count)
    {
        if (_text.Length - _length < count) Array.Resize(ref _text, Math.Max(2 * _text.Length, _length + count));
        return _text.AsSpan(_length);
    }
}
