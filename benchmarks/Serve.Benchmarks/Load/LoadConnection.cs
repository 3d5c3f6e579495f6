using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;

namespace Serve.Benchmarks.Load;

/// <summary>One keep-alive connection: a request goes out, its response comes in, never more than one at a time.</summary>
internal sealed class LoadConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly int _handle;
    private readonly byte[] _buffer = new byte[64 << 10];
    private byte[] _request = [];
    private int _sent;
    private int _received;
    private int _missing;
    private int _status;

    public LoadConnection(IPEndPoint server)
    {
        _socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _socket.Connect(server);
        _handle = (int)_socket.Handle;
    }

    /// <summary>The socket for <see cref="Epoll"/>.</summary>
    public int Handle => _handle;

    /// <summary>Whether a request is out or on its way.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>When the request began to go out, as a timestamp.</summary>
    public long StartTimestamp { get; private set; }

    /// <summary>Whether the socket took all of the request; else wait until it is writable and <see cref="Continue"/>.</summary>
    public bool IsSent => _sent == _request.Length;

    /// <summary>Begins a request.</summary>
    public void Begin(byte[] request, long now)
    {
        (_request, _sent, _received, _missing, _status) = (request, 0, 0, -1, 0);
        (IsBusy, StartTimestamp) = (true, now);
        Continue();
    }

    /// <summary>Sends more of the request.</summary>
    public void Continue()
    {
        while (!IsSent)
        {
            var count = Epoll.Send(_handle, _request.AsSpan(_sent));
            if (count < 0) return;
            _sent += count;
        }
    }

    /// <summary>Receives what is there.</summary>
    /// <returns>The status when the response is complete; 0 before.</returns>
    public int Receive()
    {
        var count = Epoll.Receive(_handle, _buffer.AsSpan(_received));
        if (count < 0) return 0;
        if (count == 0) throw new IOException("The server closed a connection of the load.");
        if (_missing < 0)
        {
            _received += count;
            if (!ReadHead()) return 0;
        }
        else
        {
            _missing -= count;
        }

        if (_missing > 0) return 0;
        IsBusy = false;
        return _status;
    }

    public void Dispose() => _socket.Dispose();

    // Status line and Content-Length; the rest of the headers are of no interest here.
    private bool ReadHead()
    {
        var received = _buffer.AsSpan(0, _received);
        var end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0) return _received < _buffer.Length ? false : throw new InvalidDataException("The response's head is longer than 64 KiB.");

        var head = received[..end];
        if (!Utf8Parser.TryParse(head[9..12], out _status, out int _)) throw new InvalidDataException("The response has no status line.");
        var at = head.IndexOf("Content-Length: "u8);
        if (at < 0 || !Utf8Parser.TryParse(head[(at + 16)..], out int length, out _)) throw new InvalidDataException("The response has no Content-Length.");

        _missing = length - (_received - end - 4);
        _received = 0;
        return _missing >= 0 ? true : throw new InvalidDataException("More bytes than the response announced.");
    }
}
