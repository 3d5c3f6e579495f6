using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Serve.Frontend.Hosting;

/// <summary>
/// Kestrel's socket transport in two forms, chosen for each connection when it is accepted. Kestrel's default is to wait for
/// data before it takes a buffer: right for thousands of connections that are silent, and one asynchronous operation more for
/// each request. So while few connections are open, a new one waits with its buffer in hand. Measured in docs/performance.md.
/// </summary>
internal sealed class EagerReceiving : IConnectionListenerFactory
{
    /// <summary>So many open connections of a listener hold a buffer while they wait: of 64 KiB each, 16 MiB together.</summary>
    public const int MostEager = 256;

    private readonly SocketTransportFactory _eager;
    private readonly SocketTransportFactory _patient;

    // Of the binding that is under way; Kestrel binds one address after the other.
    private Socket? _bound;

    /// <param name="options">Makes the transport's options; each of the two forms has its own.</param>
    /// <param name="loggers">Where the transport logs.</param>
    public EagerReceiving(IOptionsFactory<SocketTransportOptions> options, ILoggerFactory loggers)
    {
        var (eager, patient) = (options.Create(Options.DefaultName), options.Create(Options.DefaultName));
        var bind = eager.CreateBoundListenSocket;
        eager.CreateBoundListenSocket = endPoint => _bound = bind(endPoint);
        eager.WaitForDataBeforeAllocatingBuffer = false;
        patient.CreateBoundListenSocket = _ => _bound!;
        patient.WaitForDataBeforeAllocatingBuffer = true;
        _eager = new SocketTransportFactory(Options.Create(eager), loggers);
        _patient = new SocketTransportFactory(Options.Create(patient), loggers);
    }

    /// <inheritdoc/>
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new Listening(
        await _eager.BindAsync(endpoint, cancellationToken),
        await _patient.BindAsync(endpoint, cancellationToken));

    /// <summary>Two listeners over one listening socket; one of them accepts at a time.</summary>
    private sealed class Listening(IConnectionListener eager, IConnectionListener patient) : IConnectionListener
    {
        private int _eagerlyOpen;

        public EndPoint EndPoint => eager.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            if (Volatile.Read(ref _eagerlyOpen) >= MostEager) return await patient.AcceptAsync(cancellationToken);
            var connection = await eager.AcceptAsync(cancellationToken);
            if (connection is null) return null;
            Interlocked.Increment(ref _eagerlyOpen);
            connection.ConnectionClosed.UnsafeRegister(static listening => Interlocked.Decrement(ref ((Listening)listening!)._eagerlyOpen), this);
            return connection;
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await eager.UnbindAsync(cancellationToken);
            await patient.UnbindAsync(cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await eager.DisposeAsync();
            await patient.DisposeAsync();
        }
    }
}
