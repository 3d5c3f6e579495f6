using System.Text.Json;
using System.Text.Unicode;

namespace Serve.Management.Http;

/// <summary>
/// JSON from clients, all of whose names and texts are text. <see cref="JsonDocument"/> looks at them only when they are
/// asked for, and then throws <see cref="InvalidOperationException"/>: at each such place the client's fault would be taken
/// for the server's.
/// </summary>
internal static class StrictJson
{
    /// <summary>Reads a document.</summary>
    /// <param name="json">What was sent; must live as long as the document.</param>
    /// <exception cref="JsonException">It is not JSON, not UTF-8, or has half a surrogate pair.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json)
    {
        if (!Utf8.IsValid(json.Span)) throw new JsonException("it is not valid UTF-8");
        var document = JsonDocument.Parse(json);
        try
        {
            if (MayHaveSurrogates(json.Span)) CheckTexts(json.Span);
            return document;
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    // They can only be written as escapes, \uD800 to \uDFFF, which few documents have.
    private static bool MayHaveSurrogates(ReadOnlySpan<byte> json) => json.IndexOf(@"\ud"u8) >= 0 || json.IndexOf(@"\uD"u8) >= 0;

    private static void CheckTexts(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName) || !reader.ValueIsEscaped) continue;
            try
            {
                _ = reader.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw new JsonException($"the text at byte {reader.TokenStartIndex} has half a surrogate pair: {e.Message}", e);
            }
        }
    }
}
