using System.Text.Json;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.Pipeline;

/// <summary>Asks a handler what it has to say about itself.</summary>
internal static class HandlerDescription
{
    private const int NothingToSay = 204;

    /// <summary>Writes the answer: JSON, or status 204 if the handler describes nothing.</summary>
    /// <exception cref="InternalServerException">The handler wrote no whole JSON value.</exception>
    public static void Write(object handler, HandlerResponse response)
    {
        if (handler is not IDescribesItself describes)
        {
            response.Status = NothingToSay;
            return;
        }

        using var json = new Utf8JsonWriter(response.Body);
        describes.Describe(json);
        if (json.CurrentDepth != 0 || json.BytesCommitted + json.BytesPending == 0) throw new InternalServerException("The handler's Describe must write one whole JSON value.");
        json.Flush();
        response.ContentType = "application/json";
    }
}
