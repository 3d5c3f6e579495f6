using System.Net.Sockets;

namespace Serve.Tests.Core.Protocol;

/// <summary>Two connected Unix domain sockets.</summary>
internal sealed class SocketPair : IDisposable
{
    public SocketPair()
    {
        var path = Path.Combine(Path.GetTempPath(), $"serve-test-{Guid.NewGuid():N}.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        Near = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        Near.Connect(new UnixDomainSocketEndPoint(path));
        Far = listener.Accept();
        File.Delete(path);
    }

    public Socket Near { get; }

    public Socket Far { get; }

    public void Dispose()
    {
        Near.Dispose();
        Far.Dispose();
    }
}
