using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Serve.Core.Configuration;
using Serve.Core.Observability;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.Hosting.Tls;
using Serve.Management.Authorization;

namespace Serve.Frontend.Hosting;

/// <summary>One of the server's listeners: an address, and the routes that are answered there and nowhere else.</summary>
internal sealed class Listener : IDisposable
{
    private const int Backlog = 512;

    private readonly string _address;
    private readonly HttpProtocols _protocols;
    private Socket? _socket;

    /// <param name="name"><c>inference</c>, <c>management</c>, <c>metrics</c>, <c>grpc_inference</c> or <c>grpc_management</c>.</param>
    /// <param name="key">The configuration's key of the address, for messages.</param>
    /// <param name="address">The address as the configuration has it.</param>
    /// <param name="protocols">What is spoken there.</param>
    /// <param name="isOptional">Nobody has asked for this address: if another program has it, the server goes without the listener.</param>
    /// <exception cref="ListenException">The address is not one.</exception>
    public Listener(string name, string key, string address, HttpProtocols protocols = HttpProtocols.Http1, bool isOptional = false)
    {
        var parsed = ListenAddress.Parse(address, out var fault) ?? throw new ListenException($"{key}: {fault}.");
        (Name, Key, _address, _protocols) = (name, key, address, protocols);
        var ip = parsed.Address.Equals(IPAddress.IPv6Any) && !Socket.OSSupportsIPv6 ? IPAddress.Any : parsed.Address;
        EndPoint = new IPEndPoint(ip, parsed.Port);
        IsHttps = parsed.IsHttps;
        IsOptional = isOptional;
        Metrics = ServeMetrics.Http(name);
    }

    /// <summary>The value of the label <c>listener</c>.</summary>
    public string Name { get; }

    /// <summary>The configuration's key of the address.</summary>
    public string Key { get; }

    /// <summary>Asks who calls, before anything else is done; null: everybody may.</summary>
    public TokenGuard? Guard { get; init; }

    /// <summary>Whether TLS is spoken there.</summary>
    public bool IsHttps { get; }

    /// <summary>How; set before the server starts where <see cref="IsHttps"/>.</summary>
    public ServerTls? Tls { get; set; }

    /// <summary>Whether the server can go without it.</summary>
    public bool IsOptional { get; }

    /// <summary>Whether it speaks HTTP/1.1.</summary>
    public bool IsHttp1 => _protocols == HttpProtocols.Http1;

    /// <summary>Whether it has its address.</summary>
    public bool IsBound => _socket is not null;

    /// <summary>Where it is asked to listen.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Counts what it answers.</summary>
    public HttpMetrics Metrics { get; }

    /// <summary>What it answers; set before the server starts.</summary>
    public RequestDelegate Pipeline { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Of gRPC: where messages go as they arrive; null: Kestrel receives them. Set before the server starts.</summary>
    public MessagePlace? Place { get; set; }

    /// <summary>Its routes, for tests.</summary>
    internal IEnumerable<EndpointDataSource> Routes { get; set; } = [];

    /// <summary>Where a client on this machine reaches it: with the port that the system chose where 0 was asked for.</summary>
    public string Url => UrlOf(IsHttps ? "https" : "http", Bound);

    /// <summary>Where it listens, with the port that the system chose where 0 was asked for.</summary>
    public string Address => $"{(IsHttps ? "https" : "http")}://{Bound}";

    /// <summary>Where a client on this machine reaches a server that listens at an address.</summary>
    public static string UrlOf(string address) =>
        ListenAddress.Parse(address, out _) is { } parsed ? UrlOf(parsed.Scheme, new IPEndPoint(parsed.Address, parsed.Port)) : address;

    /// <summary>The listener that a connection came in by.</summary>
    public static Listener Of(HttpContext context) =>
        context.Features.Get<Listener>() ?? throw new InvalidOperationException("The connection belongs to no listener.");

    /// <summary>Has Kestrel listen here, and marks each connection so that its requests come to <see cref="Pipeline"/>.</summary>
    public void Listen(KestrelServerOptions kestrel) => kestrel.Listen(EndPoint, options =>
    {
        options.Protocols = _protocols;
        options.Use(next => connection =>
        {
            connection.Features.Set(this);
            return next(connection);
        });
        var patience = kestrel.Limits.RequestHeadersTimeout;
        if (Tls is not null)
        {
            Begin(options, FirstBytes.OfTls(patience));
            options.UseHttps(Tls.For(Name, _protocols == HttpProtocols.Http2));
        }

        if (_protocols != HttpProtocols.Http2) return;
        Begin(options, FirstBytes.OfHttp2(patience));
        options.Use(next => connection => Place is { } place ? StreamBodies.ServeAsync(connection, next, kestrel.Limits.Http2, kestrel.Limits.MinRequestBodyDataRate, place) : next(connection));
    });

    /// <summary>
    /// Takes the address, before anything else is started. From now on the system accepts connections, which wait until
    /// Kestrel serves them.
    /// </summary>
    /// <exception cref="ListenException">The address is taken, unknown to this machine, or not ours to use.</exception>
    public void Bind()
    {
        try
        {
            var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(EndPoint);
            socket.Listen(Backlog);
            _socket = socket;
        }
        catch (SocketException e)
        {
            var why = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another program listens there already",
                SocketError.AddressNotAvailable => "this machine has no such address",
                SocketError.AccessDenied => "this user may not listen there",
                _ => e.Message,
            };
            throw new ListenException($"{Key}: cannot listen on {_address}: {why}.", e);
        }
    }

    /// <summary>The socket that <see cref="Bind"/> made; Kestrel's from now on.</summary>
    public Socket TakeSocket() => _socket ?? throw new InvalidOperationException($"The {Name} listener is not bound.");

    /// <summary>Gives the address back, if Kestrel has not done so already.</summary>
    public void Dispose() => _socket?.Dispose();

    private IPEndPoint Bound => _socket?.LocalEndPoint as IPEndPoint ?? EndPoint;

    private static void Begin(ListenOptions options, FirstBytes first) => options.Use(next => connection => first.CheckAsync(connection, next));

    private static string UrlOf(string scheme, IPEndPoint bound)
    {
        var any = bound.Address.Equals(IPAddress.Any) || bound.Address.Equals(IPAddress.IPv6Any);
        return $"{scheme}://{new IPEndPoint(any ? IPAddress.Loopback : bound.Address, bound.Port)}";
    }
}
