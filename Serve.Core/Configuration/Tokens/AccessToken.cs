using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Serve.Core.Configuration.Tokens;

/// <summary>
/// One valid token, kept as its SHA-256: the token cannot be told from it. A plain hash is enough, because a token is a
/// random secret of at least <see cref="ShortestText"/> letters and no password.
/// </summary>
/// <param name="hash">32 bytes.</param>
/// <param name="expires">From when it is not valid any more; null: never.</param>
public sealed class AccessToken(ReadOnlySpan<byte> hash, DateTimeOffset? expires)
{
    /// <summary>The length of a hash.</summary>
    public const int HashBytes = SHA256.HashSizeInBytes;

    /// <summary>The fewest letters that a token may have.</summary>
    public const int ShortestText = 16;

    /// <summary>The most letters that a token may have.</summary>
    public const int LongestText = 1024;

    private const string HashPrefix = "sha256:";
    private const string ExpiresPrefix = "expires=";

    private static readonly string[] TimeFormats = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK"];

    private readonly byte[] _hash = hash.ToArray();

    /// <summary>From when it is not valid any more; null: never.</summary>
    public DateTimeOffset? Expires { get; } = expires;

    /// <summary>The hash of what a client has sent. Hot path: allocates nothing.</summary>
    /// <param name="text">The token.</param>
    /// <param name="hash">Gets <see cref="HashBytes"/> bytes.</param>
    /// <returns>False: it is none, by its length or its letters.</returns>
    public static bool TryHash(ReadOnlySpan<char> text, Span<byte> hash)
    {
        if (text.Length is 0 or > LongestText) return false;
        Span<byte> bytes = stackalloc byte[LongestText];
        if (Ascii.FromUtf16(text, bytes, out var length) != System.Buffers.OperationStatus.Done) return false;
        SHA256.HashData(bytes[..length], hash);
        return true;
    }

    /// <summary>How a token's hash is written in files: <c>sha256:</c> and 64 hexadecimal digits.</summary>
    public static string HashText(string token)
    {
        Span<byte> hash = stackalloc byte[HashBytes];
        return TryHash(token, hash) ? HashPrefix + Convert.ToHexStringLower(hash) : throw new ArgumentException("No token.", nameof(token));
    }

    /// <summary>A new random token: 256 bits, letters that need no quotes anywhere.</summary>
    public static string NewText() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    /// <summary>Reads <c>TOKEN</c> or <c>sha256:HASH</c>, and after it, if it is not for ever, <c>expires=TIME</c>.</summary>
    /// <param name="text">One line.</param>
    /// <param name="fault">What is wrong, without anything of the token, if the result is null.</param>
    public static AccessToken? Parse(string text, out string fault)
    {
        ArgumentNullException.ThrowIfNull(text);
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is 0 or > 2)
        {
            fault = "give one token, and after it at most expires=TIME";
            return null;
        }

        DateTimeOffset? expires = null;
        if (words.Length == 2)
        {
            if (Time(words[1]) is not { } time)
            {
                fault = "after the token there is something else than expires=TIME; the time is 2026-12-31 or 2026-12-31T18:00:00Z";
                return null;
            }

            expires = time;
        }

        return words[0].StartsWith(HashPrefix, StringComparison.Ordinal) ? OfHash(words[0][HashPrefix.Length..], expires, out fault) : OfText(words[0], expires, out fault);
    }

    /// <summary>Whether it is the token of a hash. Takes the same time whatever the answer is.</summary>
    public bool Is(ReadOnlySpan<byte> other) => CryptographicOperations.FixedTimeEquals(_hash, other);

    private static AccessToken? OfHash(string digits, DateTimeOffset? expires, out string fault)
    {
        Span<byte> hash = stackalloc byte[HashBytes];
        fault = "sha256: is not followed by 64 hexadecimal digits";
        return digits.Length == 2 * HashBytes && Convert.FromHexString(digits, hash, out _, out _) == System.Buffers.OperationStatus.Done ? new AccessToken(hash, expires) : null;
    }

    private static AccessToken? OfText(string token, DateTimeOffset? expires, out string fault)
    {
        Span<byte> hash = stackalloc byte[HashBytes];
        fault = token.Length < ShortestText
            ? $"the token has {token.Length} letters; it must be random and have at least {ShortestText} (serve token create makes one)"
            : $"the token has letters that an HTTP header cannot carry, or more than {LongestText}";
        return token.Length >= ShortestText && token.All(IsLetter) && TryHash(token, hash) ? new AccessToken(hash, expires) : null;
    }

    // RFC 6750, section 2.1: what may stand behind Bearer.
    private static bool IsLetter(char letter) => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' or '_' or '~' or '+' or '/' or '=';

    private static DateTimeOffset? Time(string word) =>
        word.StartsWith(ExpiresPrefix, StringComparison.Ordinal)
        && DateTimeOffset.TryParseExact(word[ExpiresPrefix.Length..], TimeFormats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? time
            : null;
}
