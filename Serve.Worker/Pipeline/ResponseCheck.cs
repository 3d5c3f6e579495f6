using Serve.Core.Handlers;
using Serve.Core.Protocol;

namespace Serve.Worker.Pipeline;

/// <summary>Whether HTTP and the worker protocol can carry what a handler answered, and it means the same at the other end.</summary>
internal static class ResponseCheck
{
    private const int ClientGone = 499;
    private const int MaxHeaders = 256;
    private const int MaxHeaderCharacters = 16 << 10;

    /// <returns>What is wrong; null if nothing is.</returns>
    public static string? Problem(HandlerResponse response)
    {
        // To a client 1xx is a word before the answer: it would wait for another.
        if (response.Status is < 200 or > 599) return $"The handler set the status {response.Status}; an answer has 200 to 599.";
        if (response.Status == ClientGone) return $"The handler set the status {ClientGone}, which says to the server that the client is gone; use another.";
        if (response.ContentType == OutputFrame.ErrorContentType) return $"The handler set the content type {OutputFrame.ErrorContentType}, which is of the server's own errors; use another, or throw a ServeException.";
        if (response.ContentType is { } contentType && IsBroken(contentType)) return "The handler set a content type with letters that are not printable ASCII, or one that is too long.";
        if (response.Headers.Count > MaxHeaders) return $"The handler set {response.Headers.Count} headers; {MaxHeaders} can be sent.";

        for (var i = 0; i < response.Headers.Count; i++)
        {
            var (name, value) = response.Headers[i];
            if (string.IsNullOrEmpty(name) || name.Length > MaxHeaderCharacters || !name.AsSpan().ContainsOnlyTokenCharacters()) return $"The handler set a header whose name '{name}' is none.";
            if (value is null || IsBroken(value)) return $"The handler set the header {name} to a value with letters that are not printable ASCII, or one that is too long.";
        }

        return null;
    }

    private static bool IsBroken(string text) => text.Length > MaxHeaderCharacters || text.AsSpan().ContainsAnyExceptInRange(' ', '~');

    // RFC 9110, 5.6.2.
    private static bool ContainsOnlyTokenCharacters(this ReadOnlySpan<char> name)
    {
        foreach (var character in name)
        {
            if (!char.IsAsciiLetterOrDigit(character) && !"!#$%&'*+-.^_`|~".Contains(character, StringComparison.Ordinal)) return false;
        }

        return true;
    }
}
