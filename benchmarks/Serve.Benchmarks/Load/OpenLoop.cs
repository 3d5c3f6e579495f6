using System.Diagnostics;
using System.Net;

namespace Serve.Benchmarks.Load;

/// <summary>
/// Requests that arrive by a Poisson process, whatever becomes of those before: slow answers do not slow the arrivals, and a
/// latency counts from the moment at which the request should have been sent. One thread; more connections than requests can
/// be under way, so that none waits for a connection unless the server keeps thousands.
/// </summary>
internal sealed class OpenLoop : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Epoll _epoll = new();
    private readonly LoadConnection[] _connections;
    private readonly Queue<int> _idle = new(); // in turn: the server closes a connection that is silent for long
    private readonly Queue<long> _waiting = new();
    private readonly byte[] _request;
    private readonly Random _random = new(1);

    /// <param name="server">Where to.</param>
    /// <param name="connections">How many requests can be under way.</param>
    /// <param name="request">A whole HTTP request.</param>
    public OpenLoop(IPEndPoint server, int connections, byte[] request)
    {
        _request = request;
        _connections = [.. Enumerable.Range(0, connections).Select(_ => new LoadConnection(server))];
        for (var i = 0; i < connections; i++)
        {
            _epoll.Watch(_connections[i].Handle, Epoll.Readable, i);
            _idle.Enqueue(i);
        }
    }

    /// <summary>Loads the server for both times and counts what arrives in the second; then waits for the last answers.</summary>
    /// <param name="perSecond">Arrivals.</param>
    /// <param name="leadIn">Until the queues are as long as they become.</param>
    /// <param name="duration">What counts.</param>
    /// <param name="target">Until when an answer is of use.</param>
    public OpenResult Run(double perSecond, TimeSpan leadIn, TimeSpan duration, TimeSpan target)
    {
        var start = Stopwatch.GetTimestamp();
        var counted = start + Ticks(leadIn);
        var end = counted + Ticks(duration);
        var result = new OpenResult(counted, end, target);
        var next = start + Gap(perSecond);
        while (next < end || _idle.Count < _connections.Length)
        {
            var now = Stopwatch.GetTimestamp();
            for (; next <= now && next < end; next += Gap(perSecond)) _waiting.Enqueue(next);
            while (_waiting.Count > 0 && _idle.TryDequeue(out var connection)) Begin(connection, _waiting.Dequeue());
            if (now > end + Ticks(Patience)) throw new TimeoutException($"{_connections.Length - _idle.Count} requests of the load were not answered.");

            Receive(next < end ? Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), next) : TimeSpan.FromSeconds(1), result);
        }

        return result;
    }

    public void Dispose()
    {
        foreach (var connection in _connections) connection.Dispose();
        _epoll.Dispose();
    }

    private void Receive(TimeSpan wait, OpenResult result)
    {
        var count = _epoll.Wait(wait < TimeSpan.Zero ? TimeSpan.Zero : wait);
        for (var e = 0; e < count; e++)
        {
            var index = _epoll.Tag(e);
            var connection = _connections[index];
            if (!connection.IsSent) Continue(index);
            var status = connection.Receive();
            if (status == 0) continue;

            result.Add(status, connection.StartTimestamp, Stopwatch.GetTimestamp());
            _idle.Enqueue(index);
        }
    }

    private void Begin(int index, long scheduled)
    {
        _connections[index].Begin(_request, scheduled);
        if (!_connections[index].IsSent) _epoll.Change(_connections[index].Handle, Epoll.Readable | Epoll.Writable, index);
    }

    private void Continue(int index)
    {
        _connections[index].Continue();
        if (_connections[index].IsSent) _epoll.Change(_connections[index].Handle, Epoll.Readable, index);
    }

    private long Gap(double perSecond) => (long)(-Math.Log(1 - _random.NextDouble()) / perSecond * Stopwatch.Frequency);

    private static long Ticks(TimeSpan span) => (long)(span.TotalSeconds * Stopwatch.Frequency);
}
