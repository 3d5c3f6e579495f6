using System.Net;
using Serve.LoadGenerator.Http;
using Serve.LoadGenerator.Load;

namespace Serve.Benchmarks.Load;

/// <summary>
/// The clients of one server, on one thread of the load generator: they load it when it is its turn, and keep their
/// connections while it is another's.
/// </summary>
internal sealed class LoadClients : IDisposable
{
    private readonly LoadRun _run;

    private LoadClients(LoadOptions options) => _run = new LoadRun(options);

    /// <summary>Clients that each send a request, wait for its answer, and send the next.</summary>
    /// <param name="server">Where to.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="path">What they ask for.</param>
    /// <param name="contentType">Of the bodies.</param>
    /// <param name="bodies">Sent in turn.</param>
    public static LoadClients InClosedLoop(IPEndPoint server, int count, string path, string contentType, IReadOnlyList<byte[]> bodies) =>
        new(Options(server, path, contentType, bodies) with { Clients = count });

    /// <summary>The same with whole requests (<see cref="RequestBytes"/>).</summary>
    /// <param name="server">Where to.</param>
    /// <param name="count">How many clients there are.</param>
    /// <param name="requests">Sent in turn.</param>
    public static LoadClients InClosedLoop(IPEndPoint server, int count, params IReadOnlyList<ReadOnlyMemory<byte>> requests) =>
        new(new LoadOptions { Server = server, Targets = [new LoadTarget("requests", requests)], Clients = count });

    /// <summary>
    /// Requests that arrive by a Poisson process, whatever becomes of those before: slow answers do not slow the arrivals,
    /// and a latency counts from the moment at which the request should have been sent.
    /// </summary>
    /// <param name="server">Where to.</param>
    /// <param name="perSecond">Arrivals.</param>
    /// <param name="mostConnections">More than requests can be under way, so that none waits for a connection.</param>
    /// <param name="path">What they ask for.</param>
    /// <param name="contentType">Of the body.</param>
    /// <param name="body">The body.</param>
    /// <param name="objective">Until when an answer is of use; null: always.</param>
    public static LoadClients InOpenLoop(IPEndPoint server, double perSecond, int mostConnections, string path, string contentType, byte[] body, TimeSpan? objective = null) =>
        new(Options(server, path, contentType, [body]) with { ArrivalsPerSecond = perSecond, MostConnections = mostConnections, Seed = 1, Objective = objective });

    /// <summary>Loads the server for that long, and waits until the last answers are there.</summary>
    public LoadResult Run(TimeSpan duration) => Run(TimeSpan.Zero, duration);

    /// <summary>The same, with a time before that does not count: until queues are as long as they become.</summary>
    public LoadResult Run(TimeSpan leadIn, TimeSpan duration)
    {
        _run.Start();
        if (leadIn > TimeSpan.Zero)
        {
            Thread.Sleep(leadIn);
            _run.TakeWindow();
        }

        Thread.Sleep(duration);
        var window = _run.TakeWindow();
        return new LoadResult(window, After: _run.Pause());
    }

    /// <inheritdoc cref="Load.WarmUp"/>
    public void WarmUp() => Load.WarmUp.Run(turn => Run(turn).PerSecond);

    public void Dispose() => _run.Dispose();

    private static LoadOptions Options(IPEndPoint server, string path, string contentType, IReadOnlyList<byte[]> bodies)
    {
        var url = new Uri($"http://{server}{path}");
        return new LoadOptions { Server = server, Targets = [new LoadTarget(path, [.. bodies.Select(body => (ReadOnlyMemory<byte>)RequestBytes.Post(url, contentType, body))])] };
    }
}
