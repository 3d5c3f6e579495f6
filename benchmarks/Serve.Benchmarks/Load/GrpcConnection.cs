using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Serve.Benchmarks.Load;

/// <summary>
/// One connection of HTTP/2 (RFC 9113) that makes the same unary gRPC call again and again, one at a time: its bytes are made
/// before, in frames as large as the server takes, as gRPC's C++ and Python clients send them (.NET's sends 16 KiB at most).
/// What a client costs on the same machine is not to be seen in what the server does.
/// </summary>
internal sealed class GrpcConnection : IDisposable
{
    private const int HeaderBytes = 9;
    private const byte Data = 0, Headers = 1, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Reset = 3;
    private const byte EndStream = 1, Ack = 1, EndHeaders = 4;
    private const int FirstWindow = 65_535;
    private const int LargestWindow = int.MaxValue;

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _received = new byte[1 << 20];
    private readonly byte[] _request;
    private readonly List<int> _streamFields = [];
    private readonly int _bodyBytes;
    private int _start;
    private int _end;
    private int _stream = 1;
    private long _window = FirstWindow;
    private int _frameBytes = 16 << 10;

    /// <param name="server">Where to.</param>
    /// <param name="method">The method's path.</param>
    /// <param name="message">The request.</param>
    public GrpcConnection(IPEndPoint server, string method, byte[] message)
    {
        _socket.Connect(server);
        var hello = new MemoryStream();
        hello.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        WriteFrame(hello, Settings, 0, 0, [0, 4, 0x7F, 0xFF, 0xFF, 0xFF]); // INITIAL_WINDOW_SIZE: answers need no leave
        WriteFrame(hello, WindowUpdate, 0, 0, Big(LargestWindow - FirstWindow));
        _socket.Send(hello.ToArray());

        // Both come at once: what frames may be, and how much may be under way.
        var (knowsFrames, knowsWindow) = (false, false);
        while (!knowsFrames || !knowsWindow)
        {
            var (type, _, _, _) = Read();
            knowsFrames |= type == Settings;
            knowsWindow |= type == WindowUpdate;
        }

        byte[] body = [0, .. Big(message.Length), .. message];
        _bodyBytes = body.Length;
        _request = Request(server, method, body);
    }

    /// <summary>Makes the call.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public void Call()
    {
        while (_window < _bodyBytes) Read();
        foreach (var field in _streamFields) BinaryPrimitives.WriteInt32BigEndian(_request.AsSpan(field), _stream);
        for (var sent = 0; sent < _request.Length;) sent += _socket.Send(_request, sent, _request.Length - sent, SocketFlags.None);
        _window -= _bodyBytes;
        var answer = 0;
        while (true)
        {
            var (type, flags, stream, length) = Read();
            if (type is GoAway or Reset) throw new InvalidOperationException("The server ended the call.");
            if (stream != _stream) continue;
            if (type == Data) answer += length;
            if ((flags & EndStream) != 0 && type is Data or Headers) break;
        }

        if (answer == 0) throw new InvalidOperationException("The call failed.");
        _stream += 2;
    }

    public void Dispose() => _socket.Dispose();

    private byte[] Request(IPEndPoint server, string method, byte[] body)
    {
        var request = new MemoryStream();
        var fields = new MemoryStream();
        fields.Write([0x83, 0x86]); // POST, http; of HPACK's static table (RFC 7541, appendix A), as are the numbers that follow
        Literal(fields, [0x04], method);
        Literal(fields, [0x01], server.ToString());
        Literal(fields, [0x0F, 0x10], "application/grpc");
        Literal(fields, [0x00, 2, (byte)'t', (byte)'e'], "trailers");
        _streamFields.Add((int)request.Length + 5);
        WriteFrame(request, Headers, EndHeaders, 0, fields.ToArray());
        for (var at = 0; at < body.Length; at += _frameBytes)
        {
            var length = Math.Min(_frameBytes, body.Length - at);
            _streamFields.Add((int)request.Length + 5);
            WriteFrame(request, Data, at + length == body.Length ? EndStream : (byte)0, 0, body.AsSpan(at, length));
        }

        return request.ToArray();
    }

    // The next frame; what is the connection's own is dealt with.
    private (byte Type, byte Flags, int Stream, int Length) Read()
    {
        Fill(HeaderBytes);
        var head = _received.AsSpan(_start, HeaderBytes);
        var length = (head[0] << 16) | (head[1] << 8) | head[2];
        var (type, flags, stream) = (head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head[5..]) & int.MaxValue);
        Fill(HeaderBytes + length);
        var payload = _received.AsSpan(_start + HeaderBytes, length);
        _start += HeaderBytes + length;
        switch (type)
        {
            case WindowUpdate when stream == 0:
                _window += BinaryPrimitives.ReadInt32BigEndian(payload);
                break;
            case Settings when (flags & Ack) == 0:
                for (var at = 0; at < length; at += 6)
                {
                    if (BinaryPrimitives.ReadInt16BigEndian(payload[at..]) == 5) _frameBytes = BinaryPrimitives.ReadInt32BigEndian(payload[(at + 2)..]);
                }

                Send(Settings, []);
                break;
            case Ping when (flags & Ack) == 0:
                Send(Ping, payload);
                break;
        }

        return (type, flags, stream, length);
    }

    private void Send(byte type, ReadOnlySpan<byte> payload)
    {
        var frame = new MemoryStream();
        WriteFrame(frame, type, Ack, 0, payload);
        _socket.Send(frame.ToArray());
    }

    private void Fill(int count)
    {
        if (_received.Length - _start < count)
        {
            _received.AsSpan(_start, _end - _start).CopyTo(_received);
            (_start, _end) = (0, _end - _start);
        }

        while (_end - _start < count)
        {
            var received = _socket.Receive(_received.AsSpan(_end));
            if (received == 0) throw new InvalidOperationException("The server closed the connection.");
            _end += received;
        }
    }

    private static void Literal(MemoryStream fields, ReadOnlySpan<byte> name, string value)
    {
        fields.Write(name);
        fields.WriteByte((byte)value.Length); // all are shorter than 127
        fields.Write(Encoding.ASCII.GetBytes(value));
    }

    private static void WriteFrame(MemoryStream target, byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        target.Write([(byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags]);
        target.Write(Big(stream));
        target.Write(payload);
    }

    private static byte[] Big(int number)
    {
        var bytes = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return bytes;
    }
}
