using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Models;

namespace Serve.Frontend.Inference.KServe;

/// <summary>The answer in KServe's v1 protocol, <c>{"predictions": [...]}</c>, one prediction for each instance.</summary>
internal sealed class Predictions : IDisposable
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _text = new();
    private readonly long _mostBytes;
    private readonly Utf8JsonWriter _json;

    /// <param name="mostBytes">The most that it may have.</param>
    public Predictions(long mostBytes)
    {
        _mostBytes = mostBytes;
        _json = new Utf8JsonWriter(_text, Options);
        _json.WriteStartObject();
        _json.WriteStartArray("predictions"u8);
    }

    /// <summary>
    /// Adds what the handler answered for the next instance: JSON as it is, other text as a string, anything else as
    /// <c>{"b64": "..."}</c>, which is how KServe's clients send bytes.
    /// </summary>
    /// <exception cref="OutOfResourcesException">All answers together are too large.</exception>
    public void Add(InferenceResponse answer)
    {
        if (_json.BytesCommitted + _json.BytesPending + answer.Body.Length > _mostBytes) throw new OutOfResourcesException($"The answers of all instances have more than {_mostBytes} bytes (maxRequestSize), too many to give them together; send fewer instances in a call.");
        var body = answer.Body.Span;
        if (IsJson(body)) _json.WriteRawValue(body, skipInputValidation: true);
        else if (IsText(body)) _json.WriteStringValue(body);
        else
        {
            _json.WriteStartObject();
            _json.WriteBase64String("b64"u8, body);
            _json.WriteEndObject();
        }
    }

    /// <summary>The whole document.</summary>
    public ReadOnlyMemory<byte> Complete()
    {
        _json.WriteEndArray();
        _json.WriteEndObject();
        _json.Flush();
        return _text.WrittenMemory;
    }

    /// <inheritdoc/>
    public void Dispose() => _json.Dispose();

    // A handler need not name a content type, and a name would prove nothing: what goes into the document must be JSON.
    private static bool IsJson(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 256 });
        try
        {
            if (!reader.Read()) return false;
            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static bool IsText(ReadOnlySpan<byte> body) => System.Text.Unicode.Utf8.IsValid(body);
}
