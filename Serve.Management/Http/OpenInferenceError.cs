using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;

namespace Serve.Management.Http;

/// <summary>
/// Errors as the Open Inference Protocol has them: <c>{"error": message}</c>, and the few statuses that differ. What did not
/// come in time is unavailable there, over REST as over gRPC.
/// </summary>
public static class OpenInferenceError
{
    private const string Root = "/v2";
    private const string Service = "/inference.GRPCInferenceService/";

    /// <summary>Whether a path belongs to the protocol, whether or not there is such a route.</summary>
    public static bool IsFor(PathString path) => path.Value is { } text && text.StartsWith(Root, StringComparison.Ordinal) && (text.Length == Root.Length || text[Root.Length] == '/');

    /// <summary>Whether a gRPC method does.</summary>
    public static bool IsForGrpc(string method) => method.StartsWith(Service, StringComparison.Ordinal);

    /// <summary>The error as its clients know it.</summary>
    public static ServeException Of(ServeException error) => error switch
    {
        ResourceNotFoundException => new ResourceNotFoundException("Not Found"),
        MethodNotAllowedException => new MethodNotAllowedException("Method Not Allowed"),
        { Status: StatusCodes.Status504GatewayTimeout } => new ServeException(StatusCodes.Status503ServiceUnavailable, error.Type, error.Message, error) { RetryAfter = error.RetryAfter },
        _ => error,
    };

    /// <summary>The error as clients over REST know it, where what exists already is a bad request; over gRPC that has a code of its own.</summary>
    public static ServeException OfRest(ServeException error) =>
        error.Status == StatusCodes.Status409Conflict ? new ServeException(StatusCodes.Status400BadRequest, error.Type, error.Message, error) { RetryAfter = error.RetryAfter } : Of(error);

    /// <summary>Its body.</summary>
    public static ReadOnlyMemory<byte> Body(ServeException error)
    {
        // Clients, and people, look for texts with quotes in it; it is never put into HTML.
        var document = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(document, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("error", error.Message);
            writer.WriteEndObject();
        }

        return document.WrittenMemory;
    }
}
