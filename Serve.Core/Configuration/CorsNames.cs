using System.Buffers;

namespace Serve.Core.Configuration;

/// <summary>What the CORS keys may hold.</summary>
internal static class CorsNames
{
    // RFC 9110, section 5.6.2.
    private static readonly SearchValues<char> TokenLetters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>An origin as browsers send it (RFC 6454, section 6.1): scheme, host, and port if it is not the scheme's own; <c>null</c>; or <c>*</c>.</summary>
    public static bool IsOrigin(string text) =>
        text is "*" or "null" || (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Host.Length > 0 && $"{uri.Scheme}://{uri.Authority}" == text);

    /// <summary>A verb. They are compared exactly, so small letters are a mistake.</summary>
    public static bool IsMethod(string text) => text == "*" || (text.Length > 0 && text.All(char.IsAsciiLetterUpper));

    /// <summary>A header's name, or <c>*</c>.</summary>
    public static bool IsToken(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExcept(TokenLetters);
}
