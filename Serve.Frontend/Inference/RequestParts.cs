using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Http;
using Serve.Core.Errors;
using Serve.Core.Protocol;
using Serve.Core.Tracing;
using Serve.Frontend.Tracing;
using Serve.Management.Http;

namespace Serve.Frontend.Inference;

/// <summary>
/// Adds to a payload what the worker is told about its body: the request's headers, and parts as TorchServe names its
/// inputs. A form's fields are parts by their names; any other body is one part, <c>body</c>.
/// </summary>
internal static class RequestParts
{
    private const string Body = "body";
    private const string UrlPath = "url_path";
    private const string ModelName = "model_name";
    private const string Multipart = "multipart/form-data";
    private const string UrlEncoded = "application/x-www-form-urlencoded";

    /// <summary>Whether a body of this type is looked into, which takes time by its length.</summary>
    public static bool AreReadFrom(string? contentType) => contentType is not null && (Is(contentType, Multipart) || Is(contentType, UrlEncoded));

    /// <summary>Completes the payload of a request whose body has arrived. Hot path for raw bodies.</summary>
    /// <param name="request">The request.</param>
    /// <param name="payload">Its body; replaced by another one if the body has to be decoded first.</param>
    /// <param name="route">What of it is for the handler, whether query parameters are parts, and its trace.</param>
    /// <param name="modelField">The form's field <c>model_name</c>, if there is one.</param>
    public static void Complete(HttpRequest request, ref RequestPayload payload, InferenceRoute route, out string? modelField)
    {
        modelField = null;
        AddHeaders(request, payload, route.Path, route.Trace);
        var type = request.ContentType;
        var rawBytes = payload.Body.Length;

        // Bytes first, parts after them: what comes from the query is behind the body.
        if (type is not null && Is(type, Multipart))
        {
            AddMultipart(payload, type, ref modelField);
        }
        else if (type is not null && Is(type, UrlEncoded) && UrlEncodedForm.LooksLikeOne(payload.Body.Span))
        {
            var decoded = RequestPayload.Rent(rawBytes);
            var encoded = payload;
            payload = decoded;
            try
            {
                AddHeaders(request, decoded, route.Path, route.Trace);
                AddUrlEncoded(encoded.Body.Span, decoded, ref modelField);
            }
            finally
            {
                encoded.Release();
            }
        }
        else if (rawBytes > 0 || route.Query == QueryUse.None || request.Query.Count == 0)
        {
            payload.AddPart(Body, type is null || Is(type, UrlEncoded) ? null : AsciiType(type), 0, rawBytes);
        }

        if (route.Query == QueryUse.Inputs) AddQuery(request.Query, payload);

        // A form without fields, or a query that only names the model: a request has one part at least, as without a body.
        if (payload.Parts == 0) payload.AddPart(Body, null, 0, 0);
    }

    private static void AddMultipart(RequestPayload payload, string type, ref string? modelField)
    {
        var form = new MultipartReader(payload.Body.Span, MultipartReader.BoundaryOf(type));
        while (form.Read(out var part))
        {
            if (part.Name == ModelName) modelField ??= Encoding.UTF8.GetString(payload.Body.Span.Slice(part.Offset, part.Length));
            payload.AddPart(part.Name, part.ContentType, part.Offset, part.Length);
        }
    }

    private static void AddUrlEncoded(ReadOnlySpan<byte> encoded, RequestPayload payload, ref string? modelField)
    {
        var form = new UrlEncodedForm(encoded);
        while (form.Read(payload, out var name, out var offset, out var length))
        {
            if (name == ModelName) modelField ??= Encoding.UTF8.GetString(payload.Body.Span.Slice(offset, length));
            payload.AddPart(name, null, offset, length);
        }
    }

    private static void AddQuery(IQueryCollection query, RequestPayload payload)
    {
        foreach (var (name, values) in query)
        {
            if (name == ModelName) continue;
            foreach (var value in values)
            {
                var offset = payload.Body.Length;
                payload.Write(Encoding.UTF8.GetBytes(value ?? ""));
                payload.AddPart(name, null, offset, payload.Body.Length - offset);
            }
        }
    }

    /// <summary>Adds the request's headers; those that speak of this connection mean nothing to a worker.</summary>
    internal static void AddHeaders(HttpRequest request, RequestPayload payload, string? path, RequestTrace? trace)
    {
        payload.RequestId = CommonHeaders.IdOf(request.HttpContext);
        payload.Follow(trace);
        foreach (var (name, values) in request.Headers)
        {
            if (IsOfConnection(name) || (trace is not null && TracedPayload.IsOfTrace(name))) continue;
            payload.AddHeader(name, values.Count == 1 ? values[0] ?? "" : values.ToString());
        }

        if (path is not null) payload.AddHeader(UrlPath, path);
    }

    private static bool IsOfConnection(string name) => name.Length switch
    {
        2 => name.Equals("TE", StringComparison.OrdinalIgnoreCase),
        6 => name.Equals("Expect", StringComparison.OrdinalIgnoreCase),
        7 => name.Equals("Trailer", StringComparison.OrdinalIgnoreCase) || name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase),
        10 => name.Equals("Connection", StringComparison.OrdinalIgnoreCase) || name.Equals("Keep-Alive", StringComparison.OrdinalIgnoreCase),
        16 => name.Equals("Proxy-Connection", StringComparison.OrdinalIgnoreCase),
        17 => name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    private static bool Is(string contentType, string mediaType) =>
        contentType.StartsWith(mediaType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == mediaType.Length || contentType[mediaType.Length] is ';' or ' ' or '\t');

    private static string AsciiType(string type) => Ascii.IsValid(type) && type.Length <= MultipartReader.LongestValue
        ? type
        : throw new BadRequestException("Header Content-Type is not a media type: it is too long or not ASCII.");
}
