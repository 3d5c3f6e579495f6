namespace Serve.Core.Configuration;

/// <summary>
/// The server's own settings: <c>configs/serve.yaml</c>, overridden by environment variables (<c>SERVE_…</c>), overridden
/// by flags; validated, all problems reported at once.
/// </summary>
public sealed record ServerConfiguration
{
    /// <summary>Where inference is served. Default <c>http://127.0.0.1:8080</c>; port 0 takes a free one.</summary>
    public string InferenceAddress { get; init; } = "http://127.0.0.1:8080";

    /// <summary>Where models are managed. Default <c>http://127.0.0.1:8081</c>.</summary>
    public string ManagementAddress { get; init; } = "http://127.0.0.1:8081";

    /// <summary>Where Prometheus scrapes. Default <c>http://127.0.0.1:8082</c>.</summary>
    public string MetricsAddress { get; init; } = "http://127.0.0.1:8082";

    /// <summary>Where inference is served over gRPC (HTTP/2). Default <c>http://127.0.0.1:7070</c>.</summary>
    public string GrpcInferenceAddress { get; init; } = "http://127.0.0.1:7070";

    /// <summary>Where models are managed over gRPC (HTTP/2). Default <c>http://127.0.0.1:7071</c>.</summary>
    public string GrpcManagementAddress { get; init; } = "http://127.0.0.1:7071";

    /// <summary>The model store's folder; relative paths are relative to the configuration file's parent folder. Default <c>model-store</c>.</summary>
    public string ModelStore { get; init; } = "model-store";

    /// <summary>What is registered at start: <c>all</c>, <c>none</c>, or names of the store. Default all.</summary>
    public IReadOnlyList<string> LoadModels { get; init; } = ["all"];

    /// <summary>Must be <c>none</c> to bind a listener to anything but loopback that asks nobody who calls.</summary>
    public string? Auth { get; init; }

    /// <summary>
    /// Where the tokens come from that open inference: <c>file:PATH</c>, <c>env:NAME</c>, <c>sha256:HASH</c>. Those of
    /// <see cref="ManagementTokens"/> open it too. Default none: nobody is asked.
    /// </summary>
    public IReadOnlyList<string> InferenceTokens { get; init; } = [];

    /// <summary>
    /// TorchServe's <c>key_file.json</c>: the server makes tokens when it starts, writes them there, and replaces them at
    /// <c>/token</c>. Null: it makes none.
    /// </summary>
    public string? KeyFile { get; init; }

    /// <summary>How long tokens of the key file are valid. TorchServe's <c>token_expiration_min</c>. Seconds in the file. Default 60 minutes.</summary>
    public TimeSpan TokenExpiration { get; init; } = TimeSpan.FromMinutes(60);

    /// <summary>PEM: the certificate of every <c>https://</c> listener that has none of its own, and after it those of its issuers. Default none.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>PEM: its key, not encrypted.</summary>
    public string? PrivateKeyFile { get; init; }

    /// <summary>PEM: the certificate of management, over REST and gRPC. Null: <see cref="CertificateFile"/>.</summary>
    public string? ManagementCertificateFile { get; init; }

    /// <summary>PEM: its key.</summary>
    public string? ManagementPrivateKeyFile { get; init; }

    /// <summary>PEM: the certificate of the metrics listener. Null: <see cref="CertificateFile"/>.</summary>
    public string? MetricsCertificateFile { get; init; }

    /// <summary>PEM: its key.</summary>
    public string? MetricsPrivateKeyFile { get; init; }

    /// <summary>PEM: the authorities whose client certificates open inference, over REST and gRPC. Null: none is asked for.</summary>
    public string? InferenceClientCaFile { get; init; }

    /// <summary>PEM: the authorities whose client certificates open management.</summary>
    public string? ManagementClientCaFile { get; init; }

    /// <summary>PEM: the authorities whose client certificates open metrics.</summary>
    public string? MetricsClientCaFile { get; init; }

    /// <summary>
    /// <c>required</c>: where there are such authorities, a client without a certificate is refused, and tokens are asked for as
    /// well. <c>optional</c>: a client with one needs no token. Default required.
    /// </summary>
    public string ClientCertificates { get; init; } = TlsSettings.Required;

    /// <summary>Where the tokens come from that open management. Default none: nobody is asked.</summary>
    public IReadOnlyList<string> ManagementTokens { get; init; } = [];

    /// <summary>
    /// Whether models may be registered and unregistered over the management API. Null, the default: where the listener is
    /// on loopback or has tokens.
    /// </summary>
    public bool? EnableModelApi { get; init; }

    /// <summary>
    /// Which URLs models may be fetched from, or <c>file://</c> URLs outside the store be opened: regular expressions for whole
    /// URLs. TorchServe's <c>allowed_urls</c>. Default none.
    /// </summary>
    public IReadOnlyList<string> AllowedUrls { get; init; } = [];

    /// <summary>Hosts, as URLs name them, that models may be fetched from although their addresses are not public. Default none.</summary>
    public IReadOnlyList<string> AllowedPrivateHosts { get; init; } = [];

    /// <summary>The most bytes that are fetched for one model. Default 16 GiB.</summary>
    public long MaxDownloadSize { get; init; } = 16L << 30;

    /// <summary>How long fetching a model may take. Seconds in the file. Default 600 s.</summary>
    public TimeSpan DownloadTimeout { get; init; } = TimeSpan.FromSeconds(600);

    /// <summary>Whether what the management API changes survives a restart. Default true.</summary>
    public bool Snapshots { get; init; } = true;

    /// <summary>Private folder (mode 0700) for that. Null: <c>.snapshots</c> in the model store, as long as it can be written.</summary>
    public string? SnapshotFolder { get; init; }

    /// <summary>The largest request body, in bytes. Default 64 MiB; a larger one is answered 413.</summary>
    public long MaxRequestSize { get; init; } = 64L << 20;

    /// <summary>
    /// Origins (<c>https://app.example.com</c>) whose pages may call the inference listener, or <c>*</c> for all of them.
    /// TorchServe's <c>cors_allowed_origin</c>. Default none: browsers then keep pages of other origins from reading answers.
    /// </summary>
    public IReadOnlyList<string> CorsAllowedOrigin { get; init; } = [];

    /// <summary>Verbs that such pages may use. TorchServe's <c>cors_allowed_methods</c>. Default GET, POST, PUT, OPTIONS.</summary>
    public IReadOnlyList<string> CorsAllowedMethods { get; init; } = ["GET", "POST", "PUT", "OPTIONS"];

    /// <summary>
    /// Request headers that such pages may set. TorchServe's <c>cors_allowed_headers</c>. Default all: <c>*</c>, and
    /// <c>authorization</c>, which <c>*</c> does not include.
    /// </summary>
    public IReadOnlyList<string> CorsAllowedHeaders { get; init; } = ["*", "authorization"];

    /// <summary>The most open connections of each listener. Default 10,000.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>The most bytes of one request's headers together. Default 32 KiB; more are answered 431.</summary>
    public long MaxHeadersSize { get; init; } = 32L << 10;

    /// <summary>The most headers of one request. Default 100; more are answered 431.</summary>
    public int MaxHeaders { get; init; } = 100;

    /// <summary>How long a request's headers, and the first bytes of a connection to a gRPC listener, may take to arrive. Seconds in the file. Default 30 s.</summary>
    public TimeSpan HeadersTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a connection may stay open without a request. Seconds in the file. Default 120 s.</summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>The slowest that a request's body may arrive, in bytes a second; 0: any. Default 1024.</summary>
    public long MinRequestRate { get; init; } = 1024;

    /// <summary>The slowest that a client may take its answer, in bytes a second; 0: any. Default 240.</summary>
    public long MinResponseRate { get; init; } = 240;

    /// <summary>How long a body or an answer may be slower than that. Seconds in the file. Default 10 s.</summary>
    public TimeSpan RateGracePeriod { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The queue length of models that do not say one. TorchServe's <c>job_queue_size</c>. Default 100.</summary>
    public int? DefaultMaxQueueSize { get; init; } = 100;

    /// <summary>The <c>responseTimeout</c> of models that do not say one. Seconds in the file. Default 120 s.</summary>
    public TimeSpan DefaultResponseTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>The <c>startupTimeout</c> of models that do not say one. Seconds in the file. Default 120 s.</summary>
    public TimeSpan DefaultStartupTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How long unregistering may take. Seconds in the file. Default 120 s.</summary>
    public TimeSpan UnregisterTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How long accepted requests may take to finish when the server stops or a worker is scaled away. Seconds in the file. Default 30 s.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a worker shows that it lives. Milliseconds in the file. Default 1 s.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A worker that shows nothing for this long is killed and replaced. Milliseconds in the file. Default 5 s.</summary>
    public TimeSpan HeartbeatTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Private folder for sockets (mode 0700). Null: one under the system's temporary folder.</summary>
    public string? RuntimeFolder { get; init; }

    /// <summary>
    /// Folder (mode 0700) for what is worth keeping between starts: optimized models, TensorRT's engines. Null: below the
    /// runtime folder if that is given, else one for each user under the system's temporary folder.
    /// </summary>
    public string? CacheFolder { get; init; }

    /// <summary>The most bytes of optimized models in the cache folder; what was not used for longest goes first. Default 16 GiB.</summary>
    public long CacheSize { get; init; } = 16L << 30;

    /// <summary>
    /// For each version, memory in which its workers read the bodies of requests of 16 KiB and more, up to an eighth of it; others come
    /// through their sockets. Taken from the system as it is needed. 0: none. Default 256 MiB.
    /// </summary>
    public long BodyMemory { get; init; } = 256L << 20;

    /// <summary>The worker's executable. Null: <c>serve-worker</c> beside the server.</summary>
    public string? WorkerExecutable { get; init; }

    /// <summary>
    /// Which threads carry an inference request. <c>inline</c>: those that read from sockets and workers; what takes long
    /// leaves them. <c>pool</c>: the thread pool's. Default inline.
    /// </summary>
    public string FastPath { get; init; } = "inline";

    /// <summary>What the metrics listener serves.</summary>
    public MetricsConfiguration Metrics { get; init; } = new();

    /// <summary>What clients of the Open Inference Protocol may do, and whom they see.</summary>
    public OpenInferenceConfiguration OpenInference { get; init; } = new();

    /// <summary>Lowest level that is logged: <c>trace</c>, <c>debug</c>, <c>information</c>, <c>warning</c>, <c>error</c>. Default information.</summary>
    public string LogLevel { get; init; } = "information";

    /// <summary>Whether each request is logged. Default false.</summary>
    public bool AccessLog { get; init; }

    /// <summary>How and where logs are written.</summary>
    public LoggingConfiguration Logging { get; init; } = new();

    /// <summary>Where traces of requests go.</summary>
    public TracingConfiguration Tracing { get; init; } = new();
}
