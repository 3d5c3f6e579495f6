using System.Net;
using System.Net.Sockets;

namespace Serve.LoadGenerator.Http;

/// <summary>One keep-alive connection of a load: a request goes out, its response comes in, never more than one at a time. Owned by one thread.</summary>
internal sealed class LoadConnection(EndPoint server, int tag) : IDisposable
{
    private readonly ResponseReader _response = new();
    private ReadOnlyMemory<byte> _request;
    private int _sent;

    /// <summary>What a poller's events call it.</summary>
    public int Tag { get; } = tag;

    /// <summary>The socket; null while there is none.</summary>
    public Socket? Socket { get; private set; }

    /// <summary>Whether the connection is being made: it becomes writable when it is, or has failed.</summary>
    public bool IsConnecting { get; private set; }

    /// <summary>Whether a request is out or on its way.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>Whether the socket took all of the request; else wait until it is writable and <see cref="Send"/>.</summary>
    public bool IsSent => _sent == _request.Length;

    /// <summary>Whether the poller watches it for writing; the poller's owner keeps this.</summary>
    public bool WatchesWriting { get; set; }

    /// <summary>What is being answered, or was.</summary>
    public ResponseReader Response => _response;

    /// <summary>Begins to connect.</summary>
    /// <exception cref="SocketException">It cannot be.</exception>
    public void Connect()
    {
        Socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, Blocking = false };
        IsConnecting = true;
        try
        {
            Socket.Connect(server);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // As it should be: it goes on.
        }
    }

    /// <summary>The connection that was being made is writable.</summary>
    /// <returns>How it went.</returns>
    public SocketError FinishConnect()
    {
        IsConnecting = false;
        return (SocketError)(int)Socket!.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
    }

    /// <summary>Begins a request.</summary>
    public SocketError Begin(ReadOnlyMemory<byte> request)
    {
        (_request, _sent, IsBusy) = (request, 0, true);
        _response.Begin();
        return Send();
    }

    /// <summary>Sends what the socket takes now.</summary>
    /// <returns>What went wrong, if anything; <see cref="IsSent"/> tells whether that was all.</returns>
    public SocketError Send()
    {
        while (!IsSent)
        {
            var count = Socket!.Send(_request.Span[_sent..], SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock) return SocketError.Success;
            if (error != SocketError.Success) return error;
            _sent += count;
        }

        return SocketError.Success;
    }

    /// <summary>Receives what is there.</summary>
    /// <param name="buffer">Room that nothing else uses meanwhile.</param>
    /// <param name="isClosed">Whether the server has closed its side.</param>
    /// <returns>What went wrong, if anything; the response tells whether it is complete.</returns>
    /// <exception cref="MalformedResponseException">What came is no response.</exception>
    public SocketError Receive(Span<byte> buffer, out bool isClosed)
    {
        isClosed = false;
        var count = Socket!.Receive(buffer, SocketFlags.None, out var error);
        if (error == SocketError.WouldBlock) return SocketError.Success;
        if (error != SocketError.Success) return error;
        isClosed = count == 0;
        if (!IsBusy)
        {
            if (count > 0) throw new MalformedResponseException("Bytes came that no request has asked for.");
            return SocketError.Success;
        }

        if (isClosed) _response.ReadEnd();
        else if (_response.Read(buffer[..count]) < count) throw new MalformedResponseException("The response is longer than it says.");
        return SocketError.Success;
    }

    /// <summary>Whether a response has come over this connection: one that never had any is made again with a pause.</summary>
    public bool HasAnswered { get; private set; }

    /// <summary>The response is complete, and was taken.</summary>
    public void End() => (IsBusy, HasAnswered) = (false, true);

    /// <summary>Closes the socket; it can connect again.</summary>
    public void Close()
    {
        Socket?.Dispose();
        (Socket, IsConnecting, IsBusy, WatchesWriting, HasAnswered) = (null, false, false, false, false);
    }

    public void Dispose() => Close();
}
