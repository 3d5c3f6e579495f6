using System.Net;
using Microsoft.AspNetCore.Http;
using Serve.Core.Tracing;

namespace Serve.Frontend.Tracing;

/// <summary>Who asked whom, in a server's span.</summary>
internal static class SpanAddress
{
    /// <summary>Writes the host that the client named, and the client's address.</summary>
    public static void Address(this OtlpSpans span, HostString host, IPAddress? client)
    {
        if (host.HasValue)
        {
            span.Attribute("server.address"u8, host.Host);
            if (host.Port is { } port) span.Attribute("server.port"u8, port);
        }

        span.Attribute("client.address"u8, client?.ToString());
    }
}
