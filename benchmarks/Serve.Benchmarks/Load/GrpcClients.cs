using System.Diagnostics;
using System.Net;

namespace Serve.Benchmarks.Load;

/// <summary>Clients of one method of a gRPC server, each with a connection and a thread of its own, which sends the same message again when it has its answer.</summary>
internal sealed class GrpcClients : IDisposable
{
    private readonly GrpcConnection[] _connections;

    /// <param name="server">Where to.</param>
    /// <param name="count">How many clients there are.</param>
    /// <param name="method">The method's path; unary.</param>
    /// <param name="message">The request.</param>
    public GrpcClients(IPEndPoint server, int count, string method, byte[] message) =>
        _connections = [.. Enumerable.Range(0, count).Select(_ => new GrpcConnection(server, method, message))];

    /// <summary>Loads the server for that long, and waits until the last answers are there.</summary>
    /// <returns>All answers, and the seconds that they took.</returns>
    public (long Answers, double Seconds) Run(TimeSpan duration)
    {
        var started = Stopwatch.GetTimestamp();
        var answers = 0L;
        var threads = _connections.Select(connection => new Thread(() =>
        {
            while (Stopwatch.GetElapsedTime(started) < duration)
            {
                connection.Call();
                Interlocked.Increment(ref answers);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return (answers, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <inheritdoc cref="Load.WarmUp"/>
    public void WarmUp() => Load.WarmUp.Run(turn =>
    {
        var (answers, seconds) = Run(turn);
        return answers / seconds;
    });

    public void Dispose()
    {
        foreach (var connection in _connections) connection.Dispose();
    }
}
