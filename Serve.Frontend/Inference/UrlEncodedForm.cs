using System.Buffers.Text;
using System.Text;
using Serve.Core.Errors;
using Serve.Core.Protocol;

namespace Serve.Frontend.Inference;

/// <summary>Reads application/x-www-form-urlencoded fields and decodes them into a payload.</summary>
/// <param name="encoded">The body as it arrived.</param>
internal ref struct UrlEncodedForm(ReadOnlySpan<byte> encoded)
{
    private const int MostFields = 1000;
    private const int LongestName = 1024;

    private ReadOnlySpan<byte> _rest = encoded;
    private int _fields;

    /// <summary>
    /// Whether a form encoder can have made this. <c>curl --data-binary @picture.png</c> and <c>curl -d '{…}'</c> announce a
    /// form and send none: what has control characters, or begins like JSON, is taken as a raw body.
    /// </summary>
    public static bool LooksLikeOne(ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty || body[0] is (byte)'{' or (byte)'[') return false;
        return !body.ContainsAnyInRange((byte)0, (byte)8) && !body.ContainsAnyInRange((byte)14, (byte)31);
    }

    /// <summary>Decodes the next field behind what the payload has; false after the last.</summary>
    public bool Read(RequestPayload payload, out string name, out int offset, out int length)
    {
        while (!_rest.IsEmpty)
        {
            var end = _rest.IndexOf((byte)'&');
            var field = end < 0 ? _rest : _rest[..end];
            _rest = end < 0 ? default : _rest[(end + 1)..];
            if (field.IsEmpty) continue;

            if (++_fields > MostFields) throw new BadRequestException($"The form has more than {MostFields} fields.");
            var equals = field.IndexOf((byte)'=');
            name = Name(equals < 0 ? field : field[..equals]);
            var value = equals < 0 ? default : field[(equals + 1)..];
            offset = payload.Body.Length;
            length = Decode(value, payload.GetSpan(Math.Max(1, value.Length)));
            payload.Advance(length);
            return true;
        }

        (name, offset, length) = ("", 0, 0);
        return false;
    }

    private static string Name(ReadOnlySpan<byte> text)
    {
        if (text.Length > 3 * LongestName) throw new BadRequestException($"A field's name in the form is longer than {LongestName} bytes.");
        Span<byte> name = stackalloc byte[text.Length];
        return Encoding.UTF8.GetString(name[..Decode(text, name)]);
    }

    // WHATWG URL, section 5.1: plus is a blank, a percent sign without two hexadecimal digits stands for itself.
    internal static int Decode(ReadOnlySpan<byte> text, Span<byte> into)
    {
        var written = 0;
        for (var at = 0; at < text.Length; at++)
        {
            var letter = text[at];
            if (letter == '+')
            {
                letter = (byte)' ';
            }
            else if (letter == '%' && at + 2 < text.Length
                && Utf8Parser.TryParse(text.Slice(at + 1, 2), out byte decoded, out var used, 'x') && used == 2)
            {
                letter = decoded;
                at += 2;
            }

            into[written++] = letter;
        }

        return written;
    }
}
