using System.Text.Json;
using Serve.Core.Errors;
using Serve.Management.Http;

namespace Serve.Frontend.Inference.KServe;

/// <summary>The body of a prediction in KServe's v1 protocol: <c>{"instances": [...]}</c>.</summary>
internal static class Instances
{
    private const string Wanted = "the body must be a JSON object with a list \"instances\"";

    // As many as a form may have parts.
    private const int Most = 1000;

    /// <summary>Reads it.</summary>
    /// <param name="body">What was sent; must live as long as the document.</param>
    /// <exception cref="BadRequestException">It is something else.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        JsonDocument document;
        try
        {
            document = StrictJson.Parse(body);
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"The body is not valid JSON: {e.Message} ({Wanted})", e);
        }

        if (Problem(document.RootElement) is not { } problem) return document;
        document.Dispose();
        throw new BadRequestException(problem);
    }

    /// <summary>The instances of a document of <see cref="Parse"/>.</summary>
    public static JsonElement Of(JsonDocument document) => document.RootElement.GetProperty("instances"u8);

    private static string? Problem(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("instances"u8, out var instances)) return $"There are no instances in the request: {Wanted}.";
        if (instances.ValueKind != JsonValueKind.Array) return $"\"instances\" is no list: {Wanted}.";
        return instances.GetArrayLength() switch
        {
            0 => "\"instances\" is empty.",
            > Most => $"\"instances\" has {instances.GetArrayLength()} elements, and {Most} are allowed.",
            _ => null,
        };
    }
}
