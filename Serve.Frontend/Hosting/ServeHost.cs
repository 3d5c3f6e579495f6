using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Models;
using Serve.Frontend.Inference;
using Serve.Frontend.Metrics;
using Serve.Management.Rest;

namespace Serve.Frontend.Hosting;

/// <summary>
/// The running server: three listeners over one registry. It listens before any model is loaded, and stops in this order:
/// refuse new requests, finish the accepted ones, stop the workers, close the listeners.
/// </summary>
internal sealed partial class ServeHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ModelRegistry _registry;
    private readonly Shutdown _shutdown;
    private readonly CancellationTokenSource _loading = new();
    private readonly ILogger _log;
    private Task _loaded = Task.CompletedTask;

    private ServeHost(WebApplication app, ModelRegistry registry, Shutdown shutdown, IReadOnlyList<Listener> listeners, ILogger log)
    {
        (_app, _registry, _shutdown, _log) = (app, registry, shutdown, log);
        (Inference, Management, Metrics) = (listeners[0], listeners[1], listeners[2]);
    }

    public Listener Inference { get; }

    public Listener Management { get; }

    public Listener Metrics { get; }

    /// <summary>What it is composed of, for tests.</summary>
    internal IServiceProvider Services => _app.Services;

    /// <summary>Binds the listeners, then begins to load the models.</summary>
    /// <exception cref="ListenException">An address cannot be used.</exception>
    public static async Task<ServeHost> StartAsync(ServerConfiguration configuration, ILoggerFactory loggers, Shutdown shutdown)
    {
        var log = loggers.CreateLogger<ServeHost>();
        var inline = configuration.FastPath == "inline";
        Listener[] listeners =
        [
            new("inference", "inferenceAddress", configuration.InferenceAddress),
            new("management", "managementAddress", configuration.ManagementAddress),
            new("metrics", "metricsAddress", configuration.MetricsAddress),
        ];

        var registry = new ModelRegistry(configuration, TimeProvider.System, loggers);
        var app = BuildApplication(configuration, loggers, listeners, inline);
        var (inference, management, metrics) = (listeners[0], listeners[1], listeners[2]);
        inference.Pipeline = PipelineOf(inference).Build(app.Services, routes => routes.MapInference(registry, configuration, shutdown, inference.Metrics, loggers));
        management.Pipeline = PipelineOf(management).Build(app.Services, routes => routes.MapManagement(registry, configuration.EnableModelApi));
        metrics.Pipeline = PipelineOf(metrics).Build(app.Services, routes => routes.MapMetrics());
        app.Run(static context => Listener.Of(context).Pipeline(context));

        var host = new ServeHost(app, registry, shutdown, listeners, log);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await registry.DisposeAsync();
            await app.DisposeAsync();
            throw;
        }

        host.LogListening(inference.Url, management.Url, metrics.Url);
        host._loaded = host.LoadModelsAsync();
        return host;

        ListenerPipeline PipelineOf(Listener listener) =>
            new(listener, inline, configuration.AccessLog, loggers.CreateLogger($"Serve.{listener.Name}"));
    }

    /// <summary>Drains and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        _shutdown.BeginDrain();
        LogStopping();
        await _loading.CancelAsync();
        await _registry.DisposeAsync();
        await _loaded;
        await _app.StopAsync();
        await _app.DisposeAsync();
        _loading.Dispose();
        LogStopped();
    }

    private static WebApplication BuildApplication(ServerConfiguration configuration, ILoggerFactory loggers, Listener[] listeners, bool inline)
    {
        // Empty: no appsettings.json, no ASPNETCORE_ variables, no console logger. The configuration is ours alone.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "serve", ContentRootPath = AppContext.BaseDirectory });
        builder.Services.Replace(ServiceDescriptor.Singleton(loggers));
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = configuration.MaxConnections;

            // The endpoints count bodies themselves, so that a refused upload gets its JSON and can be read to its end.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MaxRequestHeaderCount = 100;
            kestrel.Limits.MaxRequestHeadersTotalSize = 32 << 10;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(30);
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2);
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
            foreach (var listener in listeners) listener.Listen(kestrel);
        });
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = inline;
            sockets.CreateBoundListenSocket = Bind;
        });

        // After UseKestrelCore, which adds a factory of its own: the last one counts.
        builder.Services.Replace(ServiceDescriptor.Singleton<IMemoryPoolFactory<byte>>(
            _ => new LargeBlockPoolFactory(configuration.MaxConnections, TimeProvider.System)));
        return builder.Build();

        // By reference: two listeners may both ask for a free port of one address.
        System.Net.Sockets.Socket Bind(EndPoint endPoint) =>
            listeners.First(listener => ReferenceEquals(listener.EndPoint, endPoint)).Bind(SocketTransportOptions.CreateDefaultBoundListenSocket);
    }

    private async Task LoadModelsAsync()
    {
        // Off the caller's thread: the listeners are open, and whoever started the server wants to say so.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await _registry.LoadAtStartupAsync(_loading.Token);
        }
        catch (OperationCanceledException) when (_loading.IsCancellationRequested)
        {
            LogLoadingStopped();
        }
        catch (Exception e)
        {
            LogLoadingFailed(e);
        }
    }

    [LoggerMessage(10, LogLevel.Information, "Listening: inference {Inference}, management {Management}, metrics {Metrics}")]
    private partial void LogListening(string inference, string management, string metrics);

    [LoggerMessage(11, LogLevel.Information, "Stopping: new requests are refused, accepted ones are finished")]
    private partial void LogStopping();

    [LoggerMessage(12, LogLevel.Information, "Stopped")]
    private partial void LogStopped();

    [LoggerMessage(13, LogLevel.Information, "Loading of models was stopped")]
    private partial void LogLoadingStopped();

    [LoggerMessage(14, LogLevel.Error, "Loading of models failed")]
    private partial void LogLoadingFailed(Exception exception);
}
