using System.Buffers;

namespace Serve.Core.Handlers;

/// <summary>One request's response: status, headers and a body that is written in place.</summary>
public abstract class HandlerResponse
{
    /// <summary>HTTP status; default 200. TorchServe's <c>set_response_status</c>.</summary>
    public int Status { get; set; } = 200;

    /// <summary>Media type of the body; null sends none, as TorchServe does.</summary>
    public string? ContentType { get; set; }

    /// <summary>Further response headers.</summary>
    public IList<KeyValuePair<string, string>> Headers { get; } = [];

    /// <summary>Where the body is written.</summary>
    public abstract IBufferWriter<byte> Body { get; }
}
