using System.Text;

namespace Serve.Core.Handlers;

/// <summary>
/// One request as a handler sees it: named parts and headers. A raw body is one part named <c>body</c>; a form's fields
/// and a multipart body's parts keep their names, as in TorchServe. The object belongs to the worker, which reuses it: do not
/// keep it beyond the answer.
/// </summary>
/// <param name="id">The request's number on the worker link.</param>
/// <param name="parts">The parts, at least one (it may be empty); tensors may be none.</param>
/// <param name="headers">HTTP headers or gRPC metadata, plus <c>url_path</c> where the URL had more segments.</param>
public sealed class HandlerRequest(ulong id, IReadOnlyList<RequestPart> parts, IReadOnlyList<KeyValuePair<string, string>> headers)
{
    /// <summary>The request's number on the worker link.</summary>
    public ulong Id { get; internal set; } = id;

    /// <summary>
    /// Whether it came by the Open Inference Protocol: each part is a tensor, and the headers are the request's parameters.
    /// Only handlers that declare tensors (<see cref="Tensors.IDeclaresTensors"/>) get such requests; <see cref="Tensors.HandlerTensors"/> reads them.
    /// </summary>
    public bool CarriesTensors { get; internal set; }

    /// <summary>The parts, in the order in which they arrived.</summary>
    public IReadOnlyList<RequestPart> Parts { get; } = parts;

    /// <summary>Headers, names as they were sent.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; } = headers;

    /// <summary>
    /// What a handler wants to remember of this request from Preprocess to Postprocess, for example the size of the
    /// picture before it was resized. Null at first.
    /// </summary>
    public object? State { get; set; }

    /// <summary>The input of the stock handlers, as in TorchServe: the part <c>data</c>, else <c>body</c>, else the first.</summary>
    public RequestPart Input => Find("data") ?? Find("body") ?? Parts[0];

    // By index in both: an enumerator of an interface would be an allocation for each request.

    /// <summary>The part with that name, or null.</summary>
    /// <param name="name">Compared exactly.</param>
    public RequestPart? Find(string name)
    {
        for (var i = 0; i < Parts.Count; i++)
        {
            if (Parts[i].Name == name) return Parts[i];
        }

        return null;
    }

    /// <summary>The first header with that name, or null.</summary>
    /// <param name="name">Compared without regard to case.</param>
    public string? Header(string name)
    {
        for (var i = 0; i < Headers.Count; i++)
        {
            if (Headers[i].Key.Equals(name, StringComparison.OrdinalIgnoreCase)) return Headers[i].Value;
        }

        return null;
    }
}

/// <summary>A named part of a request. Its bytes belong to the worker and are valid until the request is answered.</summary>
/// <param name="Name">The field's name; <c>body</c> for a raw body.</param>
/// <param name="ContentType">The part's media type; empty if it had none.</param>
/// <param name="Data">The bytes as they came.</param>
public readonly record struct RequestPart(string Name, string ContentType, ReadOnlyMemory<byte> Data)
{
    /// <summary>The bytes as UTF-8 text.</summary>
    public string Text => Encoding.UTF8.GetString(Data.Span);
}
