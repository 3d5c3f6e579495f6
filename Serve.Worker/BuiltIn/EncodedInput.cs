using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.BuiltIn;

/// <summary>
/// The bytes of a picture (or any file) in a request: as they are, or base64 as TorchServe's clients send it: a text part, a
/// JSON string, or a JSON object with the string in <c>data</c>, <c>body</c> or <c>b64</c>; with or without
/// <c>data:image/…;base64,</c> before it. What was decoded lies in a pooled array until <see cref="Dispose"/>.
/// </summary>
internal readonly struct EncodedInput : IDisposable
{
    private readonly byte[]? _pooled;
    private readonly ReadOnlyMemory<byte> _bytes;

    private EncodedInput(ReadOnlyMemory<byte> bytes, byte[]? pooled = null)
    {
        _bytes = bytes;
        _pooled = pooled;
    }

    public ReadOnlySpan<byte> Bytes => _bytes.Span;

    /// <exception cref="BadRequestException">The part is text that is no base64.</exception>
    public static EncodedInput Of(in RequestPart part)
    {
        var type = part.ContentType.AsSpan();
        if (type.StartsWith("application/json", StringComparison.OrdinalIgnoreCase)) return OfJson(part.Data.Span);
        if (type.StartsWith("text/", StringComparison.OrdinalIgnoreCase)) return OfBase64(part.Data.Span);

        // A form field that holds a data URL has no content type; no picture begins like one.
        return part.Data.Span.StartsWith("data:"u8) ? OfBase64(part.Data.Span) : new EncodedInput(part.Data);
    }

    public void Dispose()
    {
        if (_pooled is not null) ArrayPool<byte>.Shared.Return(_pooled);
    }

    private static EncodedInput OfJson(ReadOnlySpan<byte> body)
    {
        const string wanted = "a JSON body must be a base64 string, or an object with one in 'data', 'body' or 'b64'";
        try
        {
            var json = new Utf8JsonReader(body);
            json.Read();
            if (json.TokenType == JsonTokenType.StartObject)
            {
                while (json.Read() && json.TokenType == JsonTokenType.PropertyName
                    && !json.ValueTextEquals("data"u8) && !json.ValueTextEquals("body"u8) && !json.ValueTextEquals("b64"u8))
                {
                    json.Skip();
                }

                if (json.TokenType == JsonTokenType.PropertyName) json.Read();
            }

            if (json.TokenType != JsonTokenType.String) throw new BadRequestException($"There is no picture in the request: {wanted}.");
            if (!json.ValueIsEscaped) return OfBase64(json.ValueSpan);

            // Some writers escape the slashes of base64.
            var text = ArrayPool<byte>.Shared.Rent(json.ValueSpan.Length);
            var length = json.CopyString(text);
            var input = OfBase64(text.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(text);
            return input;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with invalid UTF-8 or half a surrogate pair.
            throw new BadRequestException($"The body is not valid JSON: {e.Message} ({wanted})", e);
        }
    }

    private static EncodedInput OfBase64(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("data:"u8))
        {
            var comma = text.IndexOf((byte)',');
            if (comma < 0 || !text[..comma].EndsWith(";base64"u8)) throw new BadRequestException("The data URL is not of the form data:image/png;base64,….");
            text = text[(comma + 1)..];
        }

        var bytes = ArrayPool<byte>.Shared.Rent(Base64.GetMaxDecodedFromUtf8Length(text.Length) + 1);
        var status = Base64.DecodeFromUtf8(text, bytes, out var consumed, out var written);
        if (status == OperationStatus.Done) return new EncodedInput(bytes.AsMemory(0, written), bytes);

        ArrayPool<byte>.Shared.Return(bytes);
        throw new BadRequestException($"The text is not base64: it goes wrong at or after character {consumed}. Send the file's bytes as they are, without a text or JSON content type.");
    }
}
