using Serve.Core.Configuration.Tokens;

namespace Serve.Core.Configuration;

/// <summary>The keys of the server's configuration.</summary>
internal static class ServerSettings
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Day = TimeSpan.FromHours(24);

    /// <summary>Lays the settings over what holds so far.</summary>
    /// <param name="settings">One source's settings.</param>
    /// <param name="below">What holds for keys that it does not set.</param>
    /// <param name="folder">What its relative paths are relative to.</param>
    /// <param name="asClient">Whether addresses are where somebody else listens.</param>
    public static ServerConfiguration Bind(SettingsReader settings, ServerConfiguration below, string folder, bool asClient) => below with
    {
        InferenceAddress = Address(settings, "inferenceAddress", below.InferenceAddress, asClient),
        ManagementAddress = Address(settings, "managementAddress", below.ManagementAddress, asClient),
        MetricsAddress = Address(settings, "metricsAddress", below.MetricsAddress, asClient),
        GrpcInferenceAddress = Address(settings, "grpcInferenceAddress", below.GrpcInferenceAddress, asClient),
        GrpcManagementAddress = Address(settings, "grpcManagementAddress", below.GrpcManagementAddress, asClient),
        ModelStore = settings.Has("modelStore") ? FullPath(settings.RequiredText("modelStore", below.ModelStore), folder) : Known(settings, "modelStore", below.ModelStore),
        LoadModels = LoadModels(settings, below.LoadModels),
        Auth = Auth(settings, below.Auth),
        InferenceTokens = Tokens(settings, "inferenceTokens", below.InferenceTokens, folder),
        ManagementTokens = Tokens(settings, "managementTokens", below.ManagementTokens, folder),
        KeyFile = OptionalPath(settings, "keyFile", below.KeyFile, folder),
        TokenExpiration = settings.Duration("tokenExpiration", below.TokenExpiration, Second, Second, 365 * Day),
        CertificateFile = OptionalPath(settings, "certificateFile", below.CertificateFile, folder),
        PrivateKeyFile = OptionalPath(settings, "privateKeyFile", below.PrivateKeyFile, folder),
        ManagementCertificateFile = OptionalPath(settings, "managementCertificateFile", below.ManagementCertificateFile, folder),
        ManagementPrivateKeyFile = OptionalPath(settings, "managementPrivateKeyFile", below.ManagementPrivateKeyFile, folder),
        MetricsCertificateFile = OptionalPath(settings, "metricsCertificateFile", below.MetricsCertificateFile, folder),
        MetricsPrivateKeyFile = OptionalPath(settings, "metricsPrivateKeyFile", below.MetricsPrivateKeyFile, folder),
        InferenceClientCaFile = OptionalPath(settings, "inferenceClientCaFile", below.InferenceClientCaFile, folder),
        ManagementClientCaFile = OptionalPath(settings, "managementClientCaFile", below.ManagementClientCaFile, folder),
        MetricsClientCaFile = OptionalPath(settings, "metricsClientCaFile", below.MetricsClientCaFile, folder),
        ClientCertificates = settings.Choice("clientCertificates", below.ClientCertificates, [TlsSettings.Required, TlsSettings.Optional]),
        EnableModelApi = settings.OptionalFlag("enableModelApi", below.EnableModelApi),
        AllowedUrls = AllowedUrls(settings, below.AllowedUrls),
        AllowedPrivateHosts = settings.Words("allowedPrivateHosts", below.AllowedPrivateHosts, [], "host names or addresses, for example [models.internal, 10.0.0.5]"),
        MaxDownloadSize = settings.Size("maxDownloadSize", below.MaxDownloadSize, 1024, 1L << 50),
        DownloadTimeout = settings.Duration("downloadTimeout", below.DownloadTimeout, Second, Millisecond, Day),
        Snapshots = settings.Flag("snapshots", below.Snapshots),
        SnapshotFolder = OptionalPath(settings, "snapshotFolder", below.SnapshotFolder, folder),
        MaxRequestSize = settings.Size("maxRequestSize", below.MaxRequestSize, 1024, 2_000_000_000),
        CorsAllowedOrigin = Checked(settings, "corsAllowedOrigin", below.CorsAllowedOrigin, CorsNames.IsOrigin, "origins as browsers send them, for example [https://app.example.com], or *"),
        CorsAllowedMethods = Checked(settings, "corsAllowedMethods", below.CorsAllowedMethods, CorsNames.IsMethod, "HTTP verbs in capitals, for example [GET, POST, OPTIONS]"),
        CorsAllowedHeaders = Checked(settings, "corsAllowedHeaders", below.CorsAllowedHeaders, CorsNames.IsToken, "names of headers, for example [content-type, authorization], or *"),
        MaxConnections = settings.Integer("maxConnections", below.MaxConnections, 1, 1_000_000),
        MaxHeadersSize = settings.Size("maxHeadersSize", below.MaxHeadersSize, 1024, 512 << 10),
        MaxHeaders = settings.Integer("maxHeaders", below.MaxHeaders, 1, 10_000),
        HeadersTimeout = settings.Duration("headersTimeout", below.HeadersTimeout, Second, Second, TimeSpan.FromHours(1)),
        KeepAliveTimeout = settings.Duration("keepAliveTimeout", below.KeepAliveTimeout, Second, Second, Day),
        MinRequestRate = settings.Size("minRequestRate", below.MinRequestRate, 0, 1L << 30),
        MinResponseRate = settings.Size("minResponseRate", below.MinResponseRate, 0, 1L << 30),
        RateGracePeriod = settings.Duration("rateGracePeriod", below.RateGracePeriod, Second, 2 * Second, TimeSpan.FromHours(1)),
        DefaultMaxQueueSize = settings.IntegerOrAuto("defaultMaxQueueSize", below.DefaultMaxQueueSize, 1, 1_000_000),
        DefaultResponseTimeout = settings.Duration("defaultResponseTimeout", below.DefaultResponseTimeout, Second, Millisecond, Day),
        DefaultStartupTimeout = settings.Duration("defaultStartupTimeout", below.DefaultStartupTimeout, Second, Millisecond, Day),
        UnregisterTimeout = settings.Duration("unregisterTimeout", below.UnregisterTimeout, Second, Millisecond, Day),
        DrainTimeout = settings.Duration("drainTimeout", below.DrainTimeout, Second, TimeSpan.Zero, Day),
        HeartbeatInterval = settings.Duration("heartbeatInterval", below.HeartbeatInterval, Millisecond, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
        HeartbeatTimeout = settings.Duration("heartbeatTimeout", below.HeartbeatTimeout, Millisecond, TimeSpan.FromMilliseconds(50), TimeSpan.FromHours(1)),
        RuntimeFolder = OptionalPath(settings, "runtimeFolder", below.RuntimeFolder, folder),
        CacheFolder = OptionalPath(settings, "cacheFolder", below.CacheFolder, folder),
        BodyMemory = settings.Size("bodyMemory", below.BodyMemory, 0, 1L << 30),
        CacheSize = settings.Size("cacheSize", below.CacheSize, 1L << 20, 1L << 50),
        WorkerExecutable = OptionalPath(settings, "workerExecutable", below.WorkerExecutable, folder),
        FastPath = settings.Choice("fastPath", below.FastPath, ["pool", "inline"]),
        Metrics = settings.Section("metrics") is { } metrics ? Metrics(metrics, below.Metrics) : below.Metrics,
        OpenInference = settings.Section("openInference") is { } openInference ? OpenInference(openInference, below.OpenInference) : below.OpenInference,
        LogLevel = settings.Choice("logLevel", below.LogLevel, ["trace", "debug", "information", "warning", "error"]),
        AccessLog = settings.Flag("accessLog", below.AccessLog),
        Logging = settings.Section("logging") is { } logging ? Logging(logging, below.Logging, folder) : below.Logging,
        Tracing = settings.Section("tracing") is { } tracing ? TracingSettings.Bind(tracing, below.Tracing, folder) : below.Tracing,
    };

    private static MetricsConfiguration Metrics(SettingsReader settings, MetricsConfiguration below)
    {
        var metrics = below with { TorchserveNames = settings.Flag("torchserveNames", below.TorchserveNames) };
        settings.Finish();
        return metrics;
    }

    private static OpenInferenceConfiguration OpenInference(SettingsReader settings, OpenInferenceConfiguration below)
    {
        var openInference = below with
        {
            ModelControl = ModelControl(settings, below.ModelControl),
            SharedMemory = settings.Flag("sharedMemory", below.SharedMemory),
            ServerName = settings.RequiredText("serverName", below.ServerName),
        };
        settings.Finish();
        return openInference;
    }

    private static string? ModelControl(SettingsReader settings, string? below)
    {
        var text = settings.Text("modelControl", below);
        if (text is null or OpenInferenceConfiguration.Explicit or OpenInferenceConfiguration.None) return text;

        settings.Problem("modelControl", $"{text} is not allowed; give explicit or none, or remove the line");
        return below;
    }

    private static LoggingConfiguration Logging(SettingsReader settings, LoggingConfiguration below, string folder)
    {
        var logging = below with
        {
            Format = settings.Choice("format", below.Format, ["text", "json"]),
            AccessFormat = settings.Choice("accessFormat", below.AccessFormat, ["serve", "torchserve"]),
            Folder = OptionalPath(settings, "folder", below.Folder, folder),
            FileSize = settings.Size("fileSize", below.FileSize, 64 << 10, 1L << 40),
            Files = settings.Integer("files", below.Files, 1, 10_000),
        };
        settings.Finish();
        return logging;
    }

    private static string Address(SettingsReader settings, string key, string below, bool asClient)
    {
        var text = settings.RequiredText(key, below);
        if (asClient && Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps) && url is { PathAndQuery: "/", Host.Length: > 0, UserInfo: "" }) return text.TrimEnd('/');
        if (!settings.Has(key) || ListenAddress.Parse(text, out var fault) is not null) return text;

        settings.Problem(key, fault);
        return below;
    }

    private static string? Auth(SettingsReader settings, string? below)
    {
        var text = settings.Text("auth", below);
        if (text is null or "none") return text;

        settings.Problem("auth", $"{text} is not allowed; give none (only needed where a listener is not on loopback), or remove the line. Tokens are inferenceTokens and managementTokens");
        return below;
    }

    private static IReadOnlyList<string> Tokens(SettingsReader settings, string key, IReadOnlyList<string> below, string folder)
    {
        if (!settings.Has(key)) return Known(settings, key, below);
        if (settings.Secrets(key) is not { } items) return below;

        var sources = new List<string>();
        for (var i = 0; i < items.Count; i++)
        {
            if (TokenSource.Parse(items[i], out var fault) is not { } source)
            {
                settings.Problem(key, $"item {i + 1}: {fault}");
                continue;
            }

            sources.Add((source.Kind == TokenSourceKind.File ? source with { Value = FullPath(source.Value, folder) } : source).ToString());
        }

        return sources;
    }

    private static IReadOnlyList<string> LoadModels(SettingsReader settings, IReadOnlyList<string> below)
    {
        var models = settings.Words("loadModels", below, [], "all, none, or names of the model store, for example [fashion-vit, resnet.mar]");
        if (models.Count == 0) return ["none"];
        if (models.Count > 1 && models.FirstOrDefault(model => model is "all" or "none") is { } word)
        {
            settings.Problem("loadModels", $"has {word} beside other names; give {word} alone, or names only");
        }

        return models;
    }

    private static IReadOnlyList<string> AllowedUrls(SettingsReader settings, IReadOnlyList<string> below)
    {
        var patterns = settings.Words("allowedUrls", below, [], """regular expressions for whole URLs, for example ["https://models\.example\.com/.*"]""");
        if (!settings.Has("allowedUrls")) return patterns;

        foreach (var pattern in patterns)
        {
            if (UrlPattern.Parse(pattern, out var fault) is not null) continue;
            settings.Problem("allowedUrls", $"{pattern} is no regular expression: {fault}");
            return below;
        }

        return patterns;
    }

    /// <summary>Words of which each is right.</summary>
    private static IReadOnlyList<string> Checked(SettingsReader settings, string key, IReadOnlyList<string> below, Func<string, bool> isRight, string right)
    {
        var words = settings.Words(key, below, [], right);
        if (!settings.Has(key) || words.FirstOrDefault(word => !isRight(word)) is not { } wrong) return words;

        settings.Problem(key, $"{wrong} is not allowed; give {right}");
        return below;
    }

    private static string? OptionalPath(SettingsReader settings, string key, string? below, string folder)
    {
        var text = settings.Text(key, below);
        if (!settings.Has(key) || text is null) return text;
        if (text.Length > 0) return FullPath(text, folder);

        settings.Problem(key, "is empty; give a path, or remove the line for the default");
        return below;
    }

    private static string FullPath(string path, string folder) => Path.GetFullPath(path, folder);

    private static T Known<T>(SettingsReader settings, string key, T below)
    {
        settings.Take(key);
        return below;
    }
}
