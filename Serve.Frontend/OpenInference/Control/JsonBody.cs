using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Frontend.Hosting;
using Serve.Management.Http;

namespace Serve.Frontend.OpenInference.Control;

/// <summary>The JSON object that a request of the control plane has as its body, whatever its content type says.</summary>
internal static class JsonBody
{
    private const int SmallBytes = 256 << 10;

    /// <summary>Reads it.</summary>
    /// <param name="context">The request.</param>
    /// <param name="maxRequestBytes">The most that it may have, <c>maxRequestSize</c>; null: what is enough for a few words.</param>
    /// <returns>The document; of a request without a body, an empty object.</returns>
    /// <exception cref="ServeException">400: no JSON object; 413.</exception>
    public static async Task<JsonDocument> ReadAsync(HttpContext context, long? maxRequestBytes = null)
    {
        var text = await ReadBytesAsync(context, maxRequestBytes);

        // A thread that serves sockets may have brought the last of it; what is asked for may take long.
        await Task.Yield();
        try
        {
            var document = StrictJson.Parse(text.IsEmpty ? "{}"u8.ToArray() : text);
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
            throw new BadRequestException("failed to parse the request JSON buffer: it must be an object");
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"failed to parse the request JSON buffer: {e.Message}", e);
        }
    }

    /// <summary>A member that must be text; null: it is not there.</summary>
    public static string? Text(this JsonElement body, string name) => body.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value.AsText(name) : null;

    /// <summary>A value that must be text.</summary>
    public static string AsText(this JsonElement value, string name) => value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new BadRequestException($"'{name}' must be a text.");

    /// <summary>A member that must be a whole number of at least 0; null: it is not there.</summary>
    public static long? Number(this JsonElement body, string name)
    {
        if (!body.TryGetProperty(name, out var value)) return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) && number >= 0 ? number : throw new BadRequestException($"'{name}' must be a whole number of at least 0.");
    }

    /// <summary>A whole number of 64 bits: a number, or a text, as protobuf's JSON writes it; null: it is none.</summary>
    public static long? AsWide(this JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number when value.TryGetInt64(out var number) => number,
        JsonValueKind.String when long.TryParse(value.GetString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) => number,
        _ => null,
    };

    /// <summary>A member that must be true or false; false if it is not there.</summary>
    public static bool Flag(this JsonElement body, string name)
    {
        if (!body.TryGetProperty(name, out var value)) return false;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw new BadRequestException($"'{name}' must be true or false.");
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBytesAsync(HttpContext context, long? maxRequestBytes)
    {
        var mostBytes = maxRequestBytes ?? SmallBytes;
        var key = maxRequestBytes is null ? null : "maxRequestSize";
        if (context.Request.ContentLength > mostBytes) throw new PayloadTooLargeException(mostBytes, key);
        var reader = context.Request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            if (result.Buffer.Length > mostBytes) throw new PayloadTooLargeException(mostBytes, key);
            if (result.IsCompleted)
            {
                var body = result.Buffer.ToArray();
                reader.AdvanceTo(result.Buffer.End);

                // Its last bytes may have come to it on a socket's thread.
                if (SocketThread.IsCurrent) await SocketThread.LeaveAsync();
                return body;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }
}
