using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Serve.Core.Configuration;
using Serve.Core.Devices.Host;
using Serve.Core.Models;
using Serve.Core.Observability;
using Serve.Core.Security;
using Serve.Frontend.Grpc;
using Serve.Frontend.Hosting.Http2;
using Serve.Frontend.Hosting.Tls;
using Serve.Frontend.Inference;
using Serve.Frontend.Inference.KServe;
using Serve.Frontend.Metrics;
using Serve.Frontend.Metrics.TorchServe;
using Serve.Frontend.OpenInference;
using Serve.Frontend.OpenInference.Control;
using Serve.Frontend.OpenInference.Generate;
using Serve.Frontend.OpenInference.Infer;
using Serve.Frontend.OpenInference.Infer.Grpc;
using Serve.Frontend.Tracing;
using Serve.Management.Authorization;
using Serve.Management.Console;
using Serve.Management.Grpc;
using Serve.Management.Http.OpenApi;
using Serve.Management.Overview;
using Serve.Management.Rest;
using Serve.Management.Sources;
using Serve.Management.Store;

namespace Serve.Frontend.Hosting;

/// <summary>
/// The running server: five listeners over one registry. It listens before any model is loaded, and stops in this order:
/// refuse new requests, finish the accepted ones, stop the workers, close the listeners.
/// </summary>
internal sealed partial class ServeHost : IAsyncDisposable
{
    private static readonly ServerConfiguration Defaults = new();

    // For answers that are made and on their way.
    private static readonly TimeSpan LastAnswers = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    private readonly WebApplication _app;
    private readonly ModelRegistry _registry;
    private readonly Shutdown _shutdown;
    private readonly ModelLoading _loading;
    private readonly IReadOnlyList<Listener> _listeners;
    private readonly AccessControl _access;
    private readonly IReadOnlyList<GrpcPipeline> _grpc;
    private readonly OverviewFeed _overview;
    private readonly ServerTracing? _tracing;
    private readonly TimeSpan _drainTimeout;
    private readonly ILogger _log;

    private ServeHost(WebApplication app, ModelRegistry registry, Shutdown shutdown, ModelLoading loading, IReadOnlyList<Listener> listeners, AccessControl access, IReadOnlyList<GrpcPipeline> grpc, OverviewFeed overview, ServerTracing? tracing, TimeSpan drainTimeout, ILogger log)
    {
        (_app, _registry, _shutdown, _loading, _listeners, _access, _grpc, _overview, _tracing, _drainTimeout, _log) = (app, registry, shutdown, loading, listeners, access, grpc, overview, tracing, drainTimeout, log);
    }

    public Listener Inference => _listeners[0];

    public Listener Management => _listeners[1];

    public Listener Metrics => _listeners[2];

    public Listener GrpcInference => _listeners[3];

    public Listener GrpcManagement => _listeners[4];

    /// <summary>What it is composed of, for tests.</summary>
    internal IServiceProvider Services => _app.Services;

    /// <summary>Takes the addresses, begins to load the models, and serves.</summary>
    /// <exception cref="ListenException">An address cannot be used; nothing has been started.</exception>
    /// <exception cref="ConfigurationException">Tokens cannot be read; likewise.</exception>
    public static async Task<ServeHost> StartAsync(ServerConfiguration configuration, ILoggerFactory loggers, Shutdown shutdown, LogLevelSwitch level)
    {
        var access = new AccessControl(configuration, TimeProvider.System, loggers);
        var listeners = Listeners(configuration, access);
        ModelRegistry? registry = null;
        ModelLoading? loading = null;
        WebApplication? app = null;
        ServerTracing? tracing = null;
        try
        {
            LoadTls(configuration, listeners, access.Files, loggers.CreateLogger("Serve.Secrets"));
            tracing = ServerTracing.Start(configuration.Tracing, loggers.CreateLogger<ServerTracing>());
            Bind(listeners, loggers.CreateLogger<ServeHost>());
            registry = new ModelRegistry(configuration, TimeProvider.System, loggers, new HttpArchiveFetcher(configuration, TimeProvider.System, loggers.CreateLogger("Serve.Sources")));

            // Workers start while Kestrel does: the first answer comes a tenth of a second earlier.
            loading = new ModelLoading(registry, loggers.CreateLogger<ModelLoading>());
            app = BuildApplication(configuration, loggers, listeners);
            var control = new ControlPlane(configuration, registry, loading, shutdown, level, tracing);
            var ping = new Ping(registry, loading, shutdown);
            var overview = new OverviewFeed(registry, () => ping.Health, listeners[0].Address, access.Inference, TimeProvider.System);
            MapRoutes(app, configuration, level, registry, loading, shutdown, ping, overview, control, listeners, access, tracing, loggers);
            var grpc = MapGrpc(configuration, registry, loading, shutdown, control, listeners, tracing, loggers);
            await app.StartAsync();

            var host = new ServeHost(app, registry, shutdown, loading, listeners, access, grpc, overview, tracing, configuration.DrainTimeout, loggers.CreateLogger<ServeHost>());
            host.LogListening(host.Inference.Url, host.Management.Url, host.Metrics.Url, UrlOf(host.GrpcInference), UrlOf(host.GrpcManagement));
            return host;

            static string UrlOf(Listener listener) => listener.IsBound ? listener.Url : "none";
        }
        catch
        {
            if (loading is not null) await loading.StopAsync();
            if (registry is not null) await registry.DisposeAsync();
            if (app is not null) await app.DisposeAsync();
            foreach (var listener in listeners) listener.Dispose();
            access.Dispose();
            tracing?.Dispose();
            throw;
        }
    }

    /// <summary>Drains and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        var began = Stopwatch.GetTimestamp();
        _shutdown.BeginDrain();
        LogStopping();
        _overview.Dispose();
        try
        {
            await _loading.StopAsync();
            await _registry.DisposeAsync();
        }
        finally
        {
            await CloseAsync(_drainTimeout - Stopwatch.GetElapsedTime(began));
        }

        LogStopped();
    }

    // Whatever went wrong before: the key file, which has tokens in the clear, must not stay behind, nor spans unsent.
    private async Task CloseAsync(TimeSpan left)
    {
        try
        {
            await CloseConnectionsAsync(left);
            await _app.DisposeAsync();
        }
        finally
        {
            foreach (var pipeline in _grpc) pipeline.Dispose();
            foreach (var listener in _listeners) listener.Dispose();
            _access.Dispose();
            _tracing?.Dispose();
        }
    }

    // Whoever reads an answer slowly has the rest of the time. Connections in the middle of a handshake or of a request's head
    // hold nothing that anybody waits for.
    private async Task CloseConnectionsAsync(TimeSpan left)
    {
        using var patience = new CancellationTokenSource(left > LastAnswers ? left : LastAnswers);
        var stopping = _app.StopAsync(patience.Token);
        while (!stopping.IsCompleted && !patience.IsCancellationRequested && _registry.RequestsInFlight > 0) await Task.WhenAny(stopping, Task.Delay(Interval));
        patience.CancelAfter(LastAnswers);
        await stopping;
    }

    private static Listener[] Listeners(ServerConfiguration configuration, AccessControl access) =>
    [
        new("inference", "inferenceAddress", configuration.InferenceAddress) { Guard = access.Inference },
        new("management", "managementAddress", configuration.ManagementAddress) { Guard = access.Management },
        new("metrics", "metricsAddress", configuration.MetricsAddress),
        new("grpc_inference", "grpcInferenceAddress", configuration.GrpcInferenceAddress, HttpProtocols.Http2, isOptional: configuration.GrpcInferenceAddress == Defaults.GrpcInferenceAddress) { Guard = access.Inference },
        new("grpc_management", "grpcManagementAddress", configuration.GrpcManagementAddress, HttpProtocols.Http2, isOptional: configuration.GrpcManagementAddress == Defaults.GrpcManagementAddress) { Guard = access.Management },
    ];

    private static void MapRoutes(WebApplication app, ServerConfiguration configuration, LogLevelSwitch level, ModelRegistry registry, ModelLoading loading, Shutdown shutdown, Ping ping, OverviewFeed overview, ControlPlane control, Listener[] listeners, AccessControl access, ServerTracing? tracing, ILoggerFactory loggers)
    {
        var inline = IsInline(configuration);
        var (inference, management, metrics) = (listeners[0], listeners[1], listeners[2]);
        var (ofInference, ofManagement) = (AnswersOf(inference), AnswersOf(management));
        var models = new ModelLookup(registry, loading);
        var kserve = new KServePredict(models, configuration.MaxRequestSize, shutdown, tracing);
        var failures = new RequestFailures(shutdown, loggers.CreateLogger<RequestFailures>());
        var endpoint = new InferenceEndpoint(models, configuration.MaxRequestSize, inline, shutdown, ofInference, tracing, failures);
        var tensors = new InferEndpoint(control.Models, control.SharedMemory, configuration.MaxRequestSize, inline, shutdown, ofInference, tracing, failures);
        inference.Pipeline = PipelineOf(inference, ofInference).Build(
            app.Services,
            routes =>
            {
                routes.MapOpenApi("What runs models.");
                routes.MapModelOpenApi("/predictions/{model}", "modelApiDescription", model => Describe(models.Find(model, null)));
                routes.MapInference(endpoint, kserve, ping);
                new Probes(ping, loading).Map(routes);
                routes.MapKServeModels(registry);
                routes.MapOpenInferenceControl(control);
                routes.MapGenerate(new GenerateEndpoint(control.Models, configuration.MaxRequestSize, shutdown, ofInference, tracing, failures, loggers.CreateLogger<GenerateEndpoint>()));
                routes.MapOpenInferenceInfer(tensors);
            },
            context => InferenceRoutes.TryPredict(context, endpoint, registry) ?? InferRoutes.TryInfer(context, tensors, registry));
        if (Cors.IsConfigured(configuration)) inference.Pipeline = new Cors(configuration, inference.Metrics).Before(inference.Pipeline);
        management.Pipeline = PipelineOf(management, ofManagement).Build(app.Services, routes =>
        {
            var allowsModelApi = Exposure.AllowsModelApi(configuration, management.Key, configuration.ManagementAddress);
            routes.MapManagement(registry, allowsModelApi, level);
            routes.MapStore(registry, allowsModelApi, isGuarded: ListenAddress.Parse(configuration.ManagementAddress, out _) is { } address && Exposure.IsGuarded(configuration, management.Key, address));
            routes.MapOverview(overview);
            access.MapTokens(routes);
            routes.MapConsole();
            routes.MapConsolePredictions(new InferenceEndpoint(models, configuration.MaxRequestSize, inline, shutdown, ofManagement, tracing, failures));
        });
        metrics.Pipeline = PipelineOf(metrics, AnswersOf(metrics)).Build(app.Services, routes => routes.MapMetrics(registry, configuration.Metrics.TorchserveNames ? TorchServe(registry, listeners) : null));
        app.Run(static context => Listener.Of(context).Pipeline(context));

        ListenerPipeline PipelineOf(Listener listener, AnswerRecorder answers) => new(listener, inline, answers, LogOf(listener));

        AnswerRecorder AnswersOf(Listener listener) => new(listener.Metrics, configuration.AccessLog ? LogOf(listener) : null);

        ILogger LogOf(Listener listener) => loggers.CreateLogger($"Serve.{listener.Name}");

        static (string, string) Describe(ModelVersion version) =>
            ($"RESTful API for: {version.Name}", $"What runs the model {version.Name}; its default version is {version.Version}, its handler {version.Describe().Handler ?? "not known yet"}.");
    }

    // TorchServe counts what its inference and management interfaces answer, not the scrapes.
    private static TorchServeMetrics TorchServe(ModelRegistry registry, Listener[] listeners) =>
        new(registry, new HostMonitor(), [.. listeners.Where(listener => listener.Name != "metrics").Select(listener => listener.Metrics)]);

    private static GrpcPipeline[] MapGrpc(ServerConfiguration configuration, ModelRegistry registry, ModelLoading loading, Shutdown shutdown, ControlPlane control, Listener[] listeners, ServerTracing? tracing, ILoggerFactory loggers)
    {
        var inference = PipelineOf(
            listeners[3],
            services =>
            {
                services.AddSingleton(new InferenceService(
                    new ModelLookup(registry, loading), new Ping(registry, loading, shutdown), configuration.MaxRequestSize, IsInline(configuration), shutdown));
                services.AddSingleton(new OpenInferenceService(control));
                services.AddOpenInferenceInfer(new InferService(control.Models, registry, control.SharedMemory, configuration.MaxRequestSize, IsInline(configuration), shutdown, loggers.CreateLogger<InferService>()));
            },
            routes =>
            {
                routes.MapGrpcService<InferenceService>();
                routes.MapGrpcService<OpenInferenceService>();
                routes.MapOpenInferenceInfer();
            });
        listeners[3].Place = new TensorPlaces(registry).Place;
        var management = PipelineOf(
            listeners[4],
            services => services.AddSingleton(new ManagementService(registry, Exposure.AllowsModelApi(configuration, listeners[4].Key, configuration.GrpcManagementAddress))),
            routes => routes.MapGrpcService<ManagementService>());
        return [inference, management];

        GrpcPipeline PipelineOf(Listener listener, Action<IServiceCollection> register, Action<IEndpointRouteBuilder> map)
        {
            var pipeline = new GrpcPipeline(
                listener,
                configuration.MaxRequestSize,
                configuration.AccessLog,
                // A region of shared memory, of which a brief call may tell, is copied, however large it is.
                IsInline(configuration) && !control.SharedMemory.IsEnabled,
                tracing,
                loggers,
                services =>
                {
                    services.AddSingleton(new HealthService(registry, loading, shutdown, TimeProvider.System));
                    register(services);
                },
                routes =>
                {
                    map(routes);
                    routes.MapGrpcService<HealthService>();
                });
            listener.Pipeline = pipeline.AnswerAsync;
            return pipeline;
        }
    }

    // Listeners with the same files share what is read from them.
    private static void LoadTls(ServerConfiguration configuration, Listener[] listeners, WatchedFiles watched, ILogger log)
    {
        var loaded = new Dictionary<TlsFiles, ServerTls>();
        foreach (var listener in listeners.Where(listener => listener.IsHttps))
        {
            var files = TlsFiles.Of(configuration, listener.Key);
            if (!loaded.TryGetValue(files, out var tls)) loaded[files] = tls = ServerTls.Load(files, watched, log);
            listener.Tls = tls;
        }
    }

    // Two servers on one machine need not both be told of a protocol that one of them may not use.
    private static void Bind(IEnumerable<Listener> listeners, ILogger<ServeHost> log)
    {
        foreach (var listener in listeners)
        {
            try
            {
                listener.Bind();
            }
            catch (ListenException e) when (listener.IsOptional)
            {
                LogWithout(log, e.Message);
            }
        }
    }

    private static bool IsInline(ServerConfiguration configuration) => configuration.FastPath == "inline";

    private static WebApplication BuildApplication(ServerConfiguration configuration, ILoggerFactory loggers, Listener[] listeners)
    {
        // Empty: no appsettings.json, no ASPNETCORE_ variables, no console logger. The configuration is ours alone.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "serve", ContentRootPath = AppContext.BaseDirectory });
        builder.Services.Replace(ServiceDescriptor.Singleton(loggers));
        builder.Services.AddSingleton<RejectedRequests>();
        builder.Services.AddRoutingCore();

        // The stop has its own limit.
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            ConnectionLimits.Apply(configuration, kestrel.Limits);
            foreach (var listener in listeners.Where(listener => listener.IsBound)) listener.Listen(kestrel);
        });
        builder.WebHost.UseSockets(sockets =>
        {
            sockets.UnsafePreferInlineScheduling = IsInline(configuration);

            // Each connection's work goes to the pool by itself, not through queues of connections that wait for one another.
            // On the pool only; in one comparison 15 % more answers at 64 connections, in another no difference.
            sockets.IOQueueCount = 0;

            // By reference: two listeners may both ask for a free port of one address.
            sockets.CreateBoundListenSocket = endPoint => listeners.First(listener => ReferenceEquals(listener.EndPoint, endPoint)).TakeSocket();
        });

        builder.Services.RemoveAll<IConnectionListenerFactory>();
        builder.Services.AddSingleton<IConnectionListenerFactory, EagerReceiving>();

        // Kestrel's alone: what the host itself tells of every request has another source.
        builder.Services.Replace(ServiceDescriptor.Singleton(services => services.GetRequiredService<RejectedRequests>().Source));

        // After UseKestrelCore, which adds a factory of its own: the last one counts.
        builder.Services.Replace(ServiceDescriptor.Singleton<IMemoryPoolFactory<byte>>(
            _ => new LargeBlockPoolFactory(configuration.MaxConnections, TimeProvider.System)));
        var app = builder.Build();
        if (IsInline(configuration) && !FrameScheduler.TryApply(app.Services.GetRequiredService<IServer>())) LogOnPool(loggers.CreateLogger<ServeHost>());
        return app;
    }

    [LoggerMessage(10, LogLevel.Information, "Listening: inference {Inference}, management {Management}, metrics {Metrics}, gRPC inference {GrpcInference}, gRPC management {GrpcManagement}")]
    private partial void LogListening(string inference, string management, string metrics, string grpcInference, string grpcManagement);

    [LoggerMessage(13, LogLevel.Warning, "{Why} The server goes on without it; give it another address if it is needed")]
    private static partial void LogWithout(ILogger log, string why);

    [LoggerMessage(14, LogLevel.Warning, "This version of ASP.NET Core serves gRPC on the thread pool; fastPath: inline holds for REST alone")]
    private static partial void LogOnPool(ILogger log);

    [LoggerMessage(11, LogLevel.Information, "Stopping: new requests are refused, accepted ones are finished")]
    private partial void LogStopping();

    [LoggerMessage(12, LogLevel.Information, "Stopped")]
    private partial void LogStopped();
}
