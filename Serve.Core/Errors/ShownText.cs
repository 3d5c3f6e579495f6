namespace Serve.Core.Errors;

/// <summary>
/// What somebody else has chosen, a name above all, as messages repeat it: cut, so that an error is no longer than its
/// sentence. Over gRPC a message is a header, and clients refuse headers that are too long.
/// </summary>
internal static class ShownText
{
    private const int Longest = 60;

    /// <summary>The text, or how it begins.</summary>
    public static string Of(string text)
    {
        if (text.Length <= Longest) return text;

        // Half a pair of surrogates is no character.
        return string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[Longest - 1]) ? Longest - 1 : Longest), "…");
    }
}
