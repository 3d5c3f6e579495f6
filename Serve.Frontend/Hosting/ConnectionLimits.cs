using Microsoft.AspNetCore.Server.Kestrel.Core;
using Serve.Core.Configuration;

namespace Serve.Frontend.Hosting;

/// <summary>What a client may take of the server before anybody knows what it wants: connections, headers, time.</summary>
internal static class ConnectionLimits
{
    // Of HTTP/2: a float32 picture in three frames where the client makes such, not in 37, each of which wakes a thread; and a
    // batch of them on its way without waiting for leave.
    private const int FrameBytes = 256 << 10;
    private const int WindowBytes = 4 << 20;

    public static void Apply(ServerConfiguration configuration, KestrelServerLimits limits)
    {
        limits.MaxConcurrentConnections = configuration.MaxConnections;
        limits.MaxRequestHeaderCount = configuration.MaxHeaders;
        limits.MaxRequestHeadersTotalSize = (int)configuration.MaxHeadersSize;
        limits.Http2.MaxRequestHeaderFieldSize = (int)configuration.MaxHeadersSize;
        limits.Http2.MaxFrameSize = FrameBytes;
        limits.Http2.InitialStreamWindowSize = limits.Http2.InitialConnectionWindowSize = WindowBytes;
        limits.RequestHeadersTimeout = configuration.HeadersTimeout;
        limits.KeepAliveTimeout = configuration.KeepAliveTimeout;
        limits.MinRequestBodyDataRate = Rate(configuration.MinRequestRate, configuration);
        limits.MinResponseDataRate = Rate(configuration.MinResponseRate, configuration);

        // The endpoints count bodies themselves, so that a refused upload gets its JSON and can be read to its end.
        limits.MaxRequestBodySize = null;
    }

    private static MinDataRate? Rate(long bytesPerSecond, ServerConfiguration configuration) =>
        bytesPerSecond == 0 ? null : new MinDataRate(bytesPerSecond, configuration.RateGracePeriod);
}
