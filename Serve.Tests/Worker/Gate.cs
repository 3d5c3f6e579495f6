using System.Net.Sockets;

namespace Serve.Tests.Worker;

/// <summary>The test's end of GatedHandler: learns of each batch when it begins, and lets it go on.</summary>
internal sealed class Gate : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly byte[] _byte = new byte[1];
    private Socket? _handler;

    public Gate(string path)
    {
        Path = path;
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen(1);
    }

    public string Path { get; }

    /// <summary>Waits until a batch begins.</summary>
    /// <returns>How many requests it has; 0: nobody waits any more for the one that executes.</returns>
    public int WaitForBatch()
    {
        _handler ??= _listener.Accept();
        _handler.ReceiveTimeout = 60_000;
        if (_handler.Receive(_byte) == 0) throw new InvalidOperationException("The handler is gone.");
        return _byte[0];
    }

    /// <summary>Lets the batch that has begun go on.</summary>
    public void Open() => _handler!.Send(_byte);

    public void Dispose()
    {
        _handler?.Dispose();
        _listener.Dispose();
    }
}
