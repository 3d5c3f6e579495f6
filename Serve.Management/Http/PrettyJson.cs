using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Serve.Management.Http;

/// <summary>The server's own JSON as TorchServe writes it: indented by two, a newline at the end, <c>application/json</c>.</summary>
public static class PrettyJson
{
    // The text is never put into HTML, so quotes and letters beyond ASCII can stay as they are.
    private static readonly JsonWriterOptions Options = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The bytes of one document.</summary>
    public static ReadOnlyMemory<byte> Encode<T>(T value, JsonTypeInfo<T> type)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer, Options)) JsonSerializer.Serialize(writer, value, type);
        buffer.Write("\n"u8);
        return buffer.WrittenMemory;
    }

    /// <summary>The bytes of a document that was put together.</summary>
    public static ReadOnlyMemory<byte> Encode(JsonNode document)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer, Options)) document.WriteTo(writer);
        buffer.Write("\n"u8);
        return buffer.WrittenMemory;
    }

    /// <summary>Answers with one document.</summary>
    public static Task WriteAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type) =>
        WriteAsync(context, status, Encode(value, type));

    /// <summary>Answers with bytes that <see cref="Encode"/> made.</summary>
    public static Task WriteAsync(HttpContext context, int status, ReadOnlyMemory<byte> document)
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/json";
        response.ContentLength = document.Length;
        return response.BodyWriter.WriteAsync(document, context.RequestAborted).AsTask();
    }

    /// <summary>Answers <c>{"status": text}</c>.</summary>
    public static Task WriteStatusAsync(HttpContext context, int status, string text) =>
        WriteAsync(context, status, new StatusBody(text), HttpJson.Default.StatusBody);
}
