using System.Net.Sockets;
using System.Text;

namespace Serve.Tests.EndToEnd;

/// <summary>Clients that send bytes, not requests.</summary>
internal static class RawClient
{
    /// <summary>Connects to a listener. What is sent in pieces goes out at once: no piece waits 40 ms for the answer to the one before.</summary>
    public static async Task<Socket> ConnectAsync(string listener)
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        var address = new Uri(listener);
        await client.ConnectAsync(address.Host, address.Port);
        return client;
    }

    /// <summary>Everything that comes until the server closes the connection.</summary>
    public static async Task<string> ReadToEndAsync(this Socket client)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var text = new MemoryStream();
        var piece = new byte[4096];
        try
        {
            while (await client.ReceiveAsync(piece, patience.Token) is > 0 and var length) text.Write(piece, 0, length);
        }
        catch (SocketException)
        {
            // Closed with bytes unread, which is a reset: what was answered before counts.
        }

        return Encoding.ASCII.GetString(text.ToArray());
    }
}
