using System.CommandLine;
using Serve.Core.Configuration;

namespace Serve.Frontend.Commands;

/// <summary>A flag for every key of the server's configuration. Values are checked where the file's are, with the same messages.</summary>
internal sealed class ServerFlags
{
    private static readonly (string Key, string Value, string Description)[] Keys =
    [
        ("inferenceAddress", "URL", "Where inference is served [default: http://127.0.0.1:8080]; port 0 takes a free one"),
        ("managementAddress", "URL", "Where models are managed [default: http://127.0.0.1:8081]"),
        ("metricsAddress", "URL", "Where Prometheus scrapes [default: http://127.0.0.1:8082]"),
        ("grpcInferenceAddress", "URL", "Where inference is served over gRPC [default: http://127.0.0.1:7070]"),
        ("grpcManagementAddress", "URL", "Where models are managed over gRPC [default: http://127.0.0.1:7071]"),
        ("modelStore", "FOLDER", "The model store [default: model-store]"),
        ("loadModels", "NAMES", "What is registered at start: all, none, or names separated by commas [default: all]"),
        ("auth", "none", "Needed to listen on anything but loopback without tokens"),
        ("inferenceTokens", "SOURCES", "Where the tokens for inference come from: file:PATH, env:NAME, sha256:HASH [default: none]"),
        ("managementTokens", "SOURCES", "Where the tokens for management come from [default: none]"),
        ("keyFile", "FILE", "TorchServe's key_file.json: tokens are made at the start and written there"),
        ("tokenExpiration", "TIME", "How long those are valid [default: 60m]"),
        ("certificateFile", "FILE", "PEM: the certificate of the https:// listeners"),
        ("privateKeyFile", "FILE", "PEM: its key"),
        ("managementCertificateFile", "FILE", "PEM: management's own certificate"),
        ("managementPrivateKeyFile", "FILE", "PEM: its key"),
        ("metricsCertificateFile", "FILE", "PEM: the metrics listener's own certificate"),
        ("metricsPrivateKeyFile", "FILE", "PEM: its key"),
        ("inferenceClientCaFile", "FILE", "PEM: authorities whose client certificates open inference"),
        ("managementClientCaFile", "FILE", "PEM: authorities whose client certificates open management"),
        ("metricsClientCaFile", "FILE", "PEM: authorities whose client certificates open metrics"),
        ("clientCertificates", "required|optional", "Whether a client needs a certificate there, or may have a token instead [default: required]"),
        ("enableModelApi", "BOOL", "Whether models may be registered and unregistered [default: where management is on loopback, has tokens, or requires client certificates]"),
        ("allowedUrls", "PATTERNS", "Regular expressions for URLs that models may be fetched from [default: none]"),
        ("allowedPrivateHosts", "HOSTS", "Hosts that models may be fetched from although their addresses are not public [default: none]"),
        ("maxDownloadSize", "SIZE", "The most that is fetched, or uploaded, for one model [default: 16GiB]"),
        ("downloadTimeout", "TIME", "How long fetching a model may take [default: 600s]"),
        ("snapshots", "BOOL", "Whether what the management API changes survives a restart [default: true]"),
        ("snapshotFolder", "FOLDER", "Private folder for that [default: .snapshots in the model store]"),
        ("maxRequestSize", "SIZE", "The largest request body [default: 64MiB]"),
        ("corsAllowedOrigin", "ORIGINS", "Origins whose pages may call the inference listener, or * [default: none]"),
        ("corsAllowedMethods", "VERBS", "Verbs that such pages may use [default: GET,POST,PUT,OPTIONS]"),
        ("corsAllowedHeaders", "NAMES", "Request headers that such pages may set [default: *,authorization]"),
        ("maxConnections", "N", "The most open connections of each listener [default: 10000]"),
        ("maxHeadersSize", "SIZE", "The most bytes of one request's headers [default: 32KiB]"),
        ("maxHeaders", "N", "The most headers of one request [default: 100]"),
        ("headersTimeout", "TIME", "How long a request's headers may take to arrive [default: 30s]"),
        ("keepAliveTimeout", "TIME", "How long a connection may stay open without a request [default: 120s]"),
        ("minRequestRate", "SIZE", "The slowest that a body may arrive, in bytes a second; 0: any [default: 1024]"),
        ("minResponseRate", "SIZE", "The slowest that an answer may be taken, in bytes a second; 0: any [default: 240]"),
        ("rateGracePeriod", "TIME", "How long either may be slower than that [default: 10s]"),
        ("defaultMaxQueueSize", "N|auto", "Queue length of models that do not say one [default: 100]"),
        ("defaultResponseTimeout", "TIME", "responseTimeout of models that do not say one [default: 120s]"),
        ("defaultStartupTimeout", "TIME", "startupTimeout of models that do not say one [default: 120s]"),
        ("unregisterTimeout", "TIME", "How long unregistering may take [default: 120s]"),
        ("drainTimeout", "TIME", "How long accepted requests may take when the server stops or a worker is scaled away [default: 30s]"),
        ("heartbeatInterval", "TIME", "How often a worker shows that it lives [default: 1s]"),
        ("heartbeatTimeout", "TIME", "A worker silent for this long is replaced [default: 5s]"),
        ("runtimeFolder", "FOLDER", "Private folder for sockets and the state of the running server"),
        ("cacheFolder", "FOLDER", "Private folder for optimized models and TensorRT's engines"),
        ("cacheSize", "SIZE", "The most that optimized models take there [default: 16GiB]"),
        ("bodyMemory", "SIZE", "Memory of each version in which workers read large bodies; 0: none [default: 256MiB]"),
        ("workerExecutable", "FILE", "The worker's executable [default: serve-worker beside the server]"),
        ("fastPath", "pool|inline", "Which threads carry a request: the sockets' own, or the thread pool's [default: inline]"),
        ("metrics.torchserveNames", "BOOL", "Whether TorchServe's metrics are served beside Serve's own [default: true]"),
        ("openInference.modelControl", "explicit|none", "Whether models may be loaded over the Open Inference Protocol [default: on loopback, or with managementTokens]"),
        ("openInference.sharedMemory", "BOOL", "Whether its clients may leave tensors in shared memory [default: false]"),
        ("openInference.serverName", "NAME", "The name that it tells its clients [default: serve]"),
        ("logLevel", "LEVEL", "trace, debug, information, warning or error [default: information]"),
        ("accessLog", "BOOL", "Whether each request is logged [default: false]"),
        ("logging.format", "text|json", "Form of the logs [default: text]"),
        ("logging.accessFormat", "serve|torchserve", "Form of the access log as text [default: serve]"),
        ("logging.folder", "FOLDER", "Folder for access_log.log, ts_log.log and model_log.log [default: none, standard output]"),
        ("logging.fileSize", "SIZE", "The most bytes of a log's file [default: 100MiB]"),
        ("logging.files", "N", "How many older files of each log are kept [default: 10]"),
        ("tracing.endpoint", "URL", "The collector that traces are sent to (OTLP) [default: none, nothing is traced]"),
        ("tracing.protocol", "grpc|http/protobuf", "How they are sent [default: grpc]"),
        ("tracing.samplingRatio", "RATIO", "Which share of requests is traced, 0 to 1, where the client has not decided [default: 1]"),
        ("tracing.headers", "HEADERS", "Headers for the collector: NAME=env:VARIABLE, NAME=file:PATH or NAME=VALUE"),
        ("tracing.serviceName", "NAME", "The service's name in traces [default: serve]"),
        ("tracing.caFile", "FILE", "PEM: authorities that the collector's certificate is checked against [default: the system's]"),
    ];

    private readonly List<(string Key, Option<string?> Option)> _options = [];

    /// <summary>All flags, for <c>serve start</c>.</summary>
    public static ServerFlags All() => new(Keys);

    /// <summary>The flags that say where a running server is, for the commands that talk to it.</summary>
    public static ServerFlags OfConnection() => new(Keys.Where(key => key.Key is "managementAddress" or "inferenceAddress" or "runtimeFolder")) { IsOfClient = true };

    /// <summary>The same with the metrics, for the commands that also read those.</summary>
    public static ServerFlags OfMeasuring() => new(Keys.Where(key => key.Key is "managementAddress" or "inferenceAddress" or "metricsAddress" or "runtimeFolder")) { IsOfClient = true };

    /// <summary>The flags that say where models are and how they are loaded, for the commands that load one themselves.</summary>
    public static ServerFlags OfLoading() => new(Keys.Where(key => key.Key is "modelStore" or "runtimeFolder" or "cacheFolder" or "workerExecutable"));

    /// <summary>The flags that say where the model store is, for the commands that need nothing else of a server.</summary>
    public static ServerFlags OfStore()
    {
        var flags = new ServerFlags(Keys.Where(key => key.Key is "modelStore")) { IsOfClient = true };
        var (_, store) = flags._options[0];
        store.Aliases.Add("--store");
        store.Description = $"The model store [default: {EnvironmentNames.Of("modelStore")}, else --config's, else model-store]";
        return flags;
    }

    private ServerFlags(IEnumerable<(string Key, string Value, string Description)> keys)
    {
        foreach (var (key, value, description) in keys)
        {
            _options.Add((key, new Option<string?>(EnvironmentNames.Flag(key)) { HelpName = value, Description = description, Arity = ArgumentArity.ExactlyOne }));
        }

        Config = new Option<string?>("--config", "-c") { HelpName = "FILE", Description = "The server's configuration, for example configs/serve.yaml" };
    }

    /// <summary>The configuration file.</summary>
    public Option<string?> Config { get; }

    /// <summary>Whether they say where a server or its store is, and not what a server should be.</summary>
    private bool IsOfClient { get; init; }

    /// <summary>The keys that have a flag.</summary>
    internal IEnumerable<string> FlagKeys => _options.Select(option => option.Key);

    /// <summary>Adds the flags to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(Config);
        foreach (var (_, option) in _options) command.Options.Add(option);
    }

    /// <summary>Whether a key's flag stands on the command line.</summary>
    public bool HasFlag(ParseResult arguments, string key) => _options.Exists(option => option.Key == key && arguments.GetValue(option.Option) is not null);

    /// <summary>The configuration that holds: file, then environment, then flags.</summary>
    /// <exception cref="ConfigurationException">Everything that is wrong with it.</exception>
    public ConfigurationRead<ServerConfiguration> Read(ParseResult arguments)
    {
        var flags = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, option) in _options)
        {
            if (arguments.GetValue(option) is { } value) flags[key] = value;
        }

        return ServerConfigurationReader.Read(arguments.GetValue(Config), ServerConfigurationReader.ProcessEnvironment(), flags, asClient: IsOfClient);
    }
}
