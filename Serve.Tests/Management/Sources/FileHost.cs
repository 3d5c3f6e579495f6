using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Serve.Tests.Management.Sources;

/// <summary>An HTTP server on loopback that answers with bytes, right or wrong, and then closes the connection.</summary>
internal sealed class FileHost : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<string, byte[]> _answers = new();
    private readonly ConcurrentDictionary<string, bool> _stalling = new();
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly ConcurrentBag<Socket> _open = [];

    public FileHost()
    {
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The URL of a path; a host name other than 127.0.0.1 may be given.</summary>
    public string Url(string path, string host = "127.0.0.1") => $"http://{host}:{Port}{path}";

    /// <summary>The paths that were asked for.</summary>
    public IEnumerable<string> Requests => _requests;

    /// <summary>Answers a path with a file.</summary>
    public void Serve(string path, byte[] body, int? declaredLength = null) => Answer(path, $"HTTP/1.1 200 OK\r\nContent-Length: {declaredLength ?? body.Length}\r\nConnection: close\r\n\r\n", body);

    /// <summary>Redirects a path.</summary>
    public void Redirect(string path, string location, int status = 302) => Answer(path, $"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", []);

    /// <summary>Answers a path with these bytes.</summary>
    public void Answer(string path, string head, byte[] body) => _answers[path] = [.. Encoding.ASCII.GetBytes(head), .. body];

    /// <summary>Answers a path with these bytes, and leaves the connection open.</summary>
    public void Stall(string path, string head, byte[] body)
    {
        Answer(path, head, body);
        _stalling[path] = true;
    }

    /// <summary>Resets every connection, as a host that crashes does.</summary>
    public void Reset()
    {
        foreach (var socket in _open) socket.Close(timeout: 0);
    }

    /// <summary>Takes a request and never answers.</summary>
    public void Hang(string path) => _answers[path] = [];

    public void Dispose()
    {
        _listener.Stop();
        foreach (var socket in _open) socket.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptSocketAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            _open.Add(socket);
            _ = AnswerAsync(socket);
        }
    }

    private async Task AnswerAsync(Socket socket)
    {
        try
        {
            var head = new StringBuilder();
            var buffer = new byte[4096];
            while (!head.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
            {
                var read = await socket.ReceiveAsync(buffer);
                if (read == 0) return;
                head.Append(Encoding.ASCII.GetString(buffer, 0, read));
            }

            var path = head.ToString().Split(' ')[1].Split('?')[0];
            _requests.Enqueue(path);
            var answer = _answers.GetValueOrDefault(path) ?? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray();
            if (answer.Length == 0) return;

            await socket.SendAsync(answer);
            if (!_stalling.ContainsKey(path)) socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The client has heard enough.
        }
    }
}
