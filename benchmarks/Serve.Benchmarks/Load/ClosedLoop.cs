using System.Diagnostics;
using System.Net;

namespace Serve.Benchmarks.Load;

/// <summary>
/// Clients that each send a request, wait for its answer, and send the next. All connections on the calling thread; they
/// stay open from run to run.
/// </summary>
internal sealed class ClosedLoop : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Epoll _epoll = new();
    private readonly LoadConnection[] _connections;
    private readonly byte[][] _requests;
    private int _next;

    /// <param name="server">Where to.</param>
    /// <param name="connections">How many clients.</param>
    /// <param name="requests">Whole HTTP requests, sent in turn.</param>
    public ClosedLoop(IPEndPoint server, int connections, IReadOnlyList<byte[]> requests)
    {
        _requests = [.. requests];
        _connections = [.. Enumerable.Range(0, connections).Select(_ => new LoadConnection(server))];
        for (var i = 0; i < connections; i++) _epoll.Watch(_connections[i].Handle, Epoll.Readable, i);
    }

    /// <summary>Loads the server for that long, then waits until the last answers are there.</summary>
    public LoadResult Run(TimeSpan duration)
    {
        var result = new LoadResult(duration);
        var end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        var patience = end + (long)(Patience.TotalSeconds * Stopwatch.Frequency);
        for (var i = 0; i < _connections.Length; i++) Begin(i);

        var busy = _connections.Length;
        while (busy > 0)
        {
            var count = _epoll.Wait(1000);
            if (count == 0 && Stopwatch.GetTimestamp() > patience) throw new TimeoutException($"{busy} requests of the load were not answered.");
            for (var e = 0; e < count; e++)
            {
                var index = _epoll.Tag(e);
                var connection = _connections[index];
                if (!connection.IsSent) Continue(index);
                var status = connection.Receive();
                if (status == 0) continue;

                var now = Stopwatch.GetTimestamp();
                result.Add(status, now - connection.StartTimestamp, isWithin: now <= end);
                if (now < end) Begin(index);
                else busy--;
            }
        }

        return result;
    }

    public void Dispose()
    {
        foreach (var connection in _connections) connection.Dispose();
        _epoll.Dispose();
    }

    private void Begin(int index)
    {
        if (++_next >= _requests.Length) _next = 0;
        _connections[index].Begin(_requests[_next], Stopwatch.GetTimestamp());
        if (!_connections[index].IsSent) _epoll.Change(_connections[index].Handle, Epoll.Readable | Epoll.Writable, index);
    }

    private void Continue(int index)
    {
        _connections[index].Continue();
        if (_connections[index].IsSent) _epoll.Change(_connections[index].Handle, Epoll.Readable, index);
    }
}
