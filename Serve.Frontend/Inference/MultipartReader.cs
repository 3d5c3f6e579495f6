using System.Buffers;
using System.Globalization;
using System.Text;
using Serve.Core.Errors;

namespace Serve.Frontend.Inference;

/// <summary>One part of a form: a slice of the body.</summary>
/// <param name="Name">The field's name.</param>
/// <param name="ContentType">Its media type, or null if the part has none.</param>
/// <param name="Offset">Where its bytes begin in the body.</param>
/// <param name="Length">How many they are.</param>
internal readonly record struct FormPart(string Name, string? ContentType, int Offset, int Length);

/// <summary>
/// Reads multipart/form-data (RFC 7578 on RFC 2046) from a body that is all there: finds parts, copies none of them.
/// What is malformed is a 400 that says what and at which byte; nothing is guessed.
/// </summary>
internal ref struct MultipartReader
{
    /// <summary>The longest name, media type or other value of a part.</summary>
    public const int LongestValue = 1024;

    private const int MostParts = 1000;
    private const int MostHeaders = 16;
    private const int LongestHeaderBlock = 8 << 10;
    private const int LongestBoundary = 70;

    // RFC 2046, section 5.1.1.
    private static readonly SearchValues<char> BoundaryLetters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'()+_,-./:=? ");

    private readonly ReadOnlySpan<byte> _body;

    /// <summary>CR LF -- boundary: what ends a part.</summary>
    private readonly byte[] _delimiter;

    private int _at;
    private int _parts;
    private State _state;

    /// <param name="body">The whole body.</param>
    /// <param name="boundary">From <see cref="BoundaryOf"/>.</param>
    public MultipartReader(ReadOnlySpan<byte> body, string boundary)
    {
        _body = body;
        _delimiter = Encoding.ASCII.GetBytes("\r\n--" + boundary);
    }

    private enum State
    {
        Preamble,
        Parts,
        Epilogue,
    }

    /// <summary>The boundary that a Content-Type header names.</summary>
    /// <exception cref="BadRequestException">It names none, or one that RFC 2046 does not allow.</exception>
    public static string BoundaryOf(string contentType)
    {
        var text = Parameter(contentType, "boundary");
        if (string.IsNullOrEmpty(text)) throw Malformed("its Content-Type names no boundary");
        if (text.Length > LongestBoundary) throw Malformed($"its boundary is {text.Length} characters long, and {LongestBoundary} are allowed");
        if (text.AsSpan().ContainsAnyExcept(BoundaryLetters) || text[^1] == ' ') throw Malformed("its boundary has characters that are not allowed in one");
        return text;
    }

    /// <summary>The next part; false after the last.</summary>
    public bool Read(out FormPart part)
    {
        part = default;
        if (_state == State.Preamble) SkipPreamble();
        if (_state == State.Epilogue) return false;

        if (++_parts > MostParts) throw Malformed($"it has more than {MostParts} parts");
        var (name, type) = ReadHeaders();
        var start = _at;

        // The line end before the delimiter may be the one that ended the headers: then there is no content.
        var end = FindDelimiter(start - 2);
        part = new FormPart(name, type, start, Math.Max(0, end - start));
        return true;
    }

    // The first delimiter may stand at the very beginning, where no line end comes before it.
    private void SkipPreamble()
    {
        _state = State.Parts;
        if (_body.StartsWith(_delimiter.AsSpan(2)) && TryPassDelimiter(_delimiter.Length - 2)) return;
        FindDelimiter(0);
    }

    // Finds the next delimiter from a position and goes behind it; returns where it begins. A line that only begins like
    // the delimiter is content (RFC 2046: the delimiter is the whole line).
    private int FindDelimiter(int from)
    {
        var search = from;
        while (true)
        {
            var found = _body[search..].IndexOf(_delimiter);
            if (found < 0) throw Malformed($"it ends after byte {_body.Length} without the closing boundary");
            var begin = search + found;
            if (TryPassDelimiter(begin + _delimiter.Length)) return begin;
            search = begin + 2;
        }
    }

    // Behind a boundary: "--" closes the form, else blanks and a line end begin a part.
    private bool TryPassDelimiter(int at)
    {
        var rest = _body[at..];
        if (rest.StartsWith("--"u8))
        {
            (_at, _state) = (at + 2, State.Epilogue);
            return true;
        }

        var blanks = rest.IndexOfAnyExcept((byte)' ', (byte)'\t');
        if (blanks < 0 || !rest[blanks..].StartsWith("\r\n"u8)) return false;
        _at = at + blanks + 2;
        return true;
    }

    private (string Name, string? ContentType) ReadHeaders()
    {
        string? name = null;
        string? type = null;
        var begin = _at;
        for (var headers = 0; ; headers++)
        {
            var block = _body[_at..];
            var end = block[..Math.Min(block.Length, LongestHeaderBlock)].IndexOf("\r\n"u8);
            if (end < 0 || _at + end - begin > LongestHeaderBlock) throw Malformed($"the headers of part {_parts}, at byte {begin}, do not end within {LongestHeaderBlock} bytes");
            var line = block[..end];
            var at = _at;
            _at += end + 2;
            if (line.IsEmpty) break;
            if (headers == MostHeaders) throw Malformed($"part {_parts}, at byte {begin}, has more than {MostHeaders} headers");
            ReadHeader(line, at, ref name, ref type);
        }

        return (name ?? throw Malformed($"part {_parts}, at byte {begin}, has no Content-Disposition header with a name"), type);
    }

    private static void ReadHeader(ReadOnlySpan<byte> line, int at, ref string? name, ref string? type)
    {
        var colon = line.IndexOf((byte)':');
        if (colon <= 0 || line[..colon].ContainsAny((byte)' ', (byte)'\t')) throw Malformed($"the header at byte {at} is not \"name: value\"");
        var header = Encoding.ASCII.GetString(line[..colon]);
        var value = Text(line[(colon + 1)..], at).Trim(' ', '\t');

        if (header.Equals("Content-Disposition", StringComparison.OrdinalIgnoreCase))
        {
            if (!value.StartsWith("form-data", StringComparison.OrdinalIgnoreCase) || (value.Length > 9 && value[9] is not (';' or ' ' or '\t')))
            {
                throw Malformed($"the Content-Disposition at byte {at} is not form-data");
            }

            name = Unescape(Parameter(value, "name") ?? throw Malformed($"the Content-Disposition at byte {at} has no name"));
            if (name.Length > LongestValue) throw Malformed($"the name at byte {at} is longer than {LongestValue} characters");
        }
        else if (header.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
        {
            if (value.Length > LongestValue || !Ascii.IsValid(value)) throw Malformed($"the Content-Type at byte {at} is too long or not ASCII");
            type = value.Length == 0 ? null : value;
        }
        else if (header.Equals("Content-Transfer-Encoding", StringComparison.OrdinalIgnoreCase)
            && value.ToUpperInvariant() is not ("BINARY" or "8BIT" or "7BIT"))
        {
            throw Malformed($"the Content-Transfer-Encoding at byte {at} is {value}, and only binary is understood");
        }
    }

    private static string Text(ReadOnlySpan<byte> value, int at)
    {
        if (value.ContainsAnyInRange((byte)0, (byte)8) || value.ContainsAnyInRange((byte)10, (byte)31)) throw Malformed($"the header at byte {at} has control characters");
        return Encoding.UTF8.GetString(value);
    }

    // HTML forms write the three characters that would end a quoted name as %22, %0D and %0A.
    private static string Unescape(string name) => !name.Contains('%', StringComparison.Ordinal)
        ? name
        : name.Replace("%22", "\"", StringComparison.Ordinal).Replace("%0D", "\r", StringComparison.OrdinalIgnoreCase).Replace("%0A", "\n", StringComparison.OrdinalIgnoreCase);

    /// <summary>A parameter of a header's value: <c>; name=token</c> or <c>; name="quoted \" text"</c>.</summary>
    internal static string? Parameter(string value, string parameter)
    {
        var at = value.IndexOf(';', StringComparison.Ordinal);
        while (at >= 0 && at < value.Length)
        {
            at++;
            var equals = value.IndexOf('=', at);
            if (equals < 0) return null;

            // A parameter without a value may come before the next one.
            var begin = value.LastIndexOf(';', equals - 1, equals - at) is var skipped && skipped >= at ? skipped + 1 : at;
            var name = value.AsSpan(begin, equals - begin).Trim();
            var text = TakeValue(value, equals + 1, out at);
            if (name.Equals(parameter, StringComparison.OrdinalIgnoreCase)) return text;
        }

        return null;
    }

    private static string TakeValue(string value, int at, out int semicolon)
    {
        while (at < value.Length && value[at] is ' ' or '\t') at++;
        if (at >= value.Length || value[at] != '"')
        {
            semicolon = value.IndexOf(';', at);
            return (semicolon < 0 ? value[at..] : value[at..semicolon]).Trim();
        }

        var text = new StringBuilder();
        for (at++; at < value.Length && value[at] != '"'; at++)
        {
            // Only quote and backslash are escaped: some clients send a file's path with plain backslashes.
            if (value[at] == '\\' && at + 1 < value.Length && value[at + 1] is '"' or '\\') at++;
            text.Append(value[at]);
        }

        semicolon = at < value.Length ? value.IndexOf(';', at) : -1;
        return text.ToString();
    }

    private static BadRequestException Malformed(string what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"The multipart/form-data body is malformed: {what}."));
}
