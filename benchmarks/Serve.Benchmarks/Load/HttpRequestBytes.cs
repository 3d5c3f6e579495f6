using System.Net;
using System.Text;

namespace Serve.Benchmarks.Load;

/// <summary>Whole HTTP/1.1 requests as bytes, made before the load begins.</summary>
internal static class HttpRequestBytes
{
    /// <summary>A POST with a body.</summary>
    public static byte[] Post(IPEndPoint server, string path, string contentType, ReadOnlySpan<byte> body)
    {
        var head = Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: {contentType}\r\nContent-Length: {body.Length}\r\n\r\n");
        return [.. head, .. body];
    }
}
