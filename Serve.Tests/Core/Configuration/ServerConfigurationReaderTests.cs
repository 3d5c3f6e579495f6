using Serve.Core.Configuration;

namespace Serve.Tests.Core.Configuration;

public sealed class ServerConfigurationReaderTests
{
    private static readonly string Root = Path.GetFullPath(Path.Combine(Path.GetTempPath(), "serve-root"));
    private static readonly string ConfigFile = Path.Combine(Root, "configs", "serve.yaml");

    [Fact]
    public void Nothing_at_all_gives_the_defaults_with_the_store_in_the_current_folder()
    {
        var read = ServerConfigurationReader.Read(null, currentFolder: Root);

        Assert.Equivalent(new ServerConfiguration { ModelStore = Path.Combine(Root, "model-store") }, read.Configuration, strict: true);
        Assert.Empty(read.Warnings);
    }

    [Fact]
    public void Every_key_is_read()
    {
        var read = Read("""
            inferenceAddress: http://127.0.0.1:18080
            managementAddress: http://localhost:18081
            metricsAddress: http://[::1]:18082
            modelStore: my-store
            loadModels: [a, b.mar]
            auth: none
            enableModelApi: false
            maxRequestSize: 1MiB
            corsAllowedOrigin: https://app.example.com
            corsAllowedMethods: [GET, POST]
            corsAllowedHeaders: "content-type, x-mine"
            maxConnections: 5
            defaultMaxQueueSize: 6
            defaultResponseTimeout: 7
            defaultStartupTimeout: 8
            unregisterTimeout: 9
            drainTimeout: 10
            heartbeatInterval: 100
            heartbeatTimeout: 300
            runtimeFolder: /tmp/s
            workerExecutable: bin/serve-worker
            fastPath: inline
            logLevel: debug
            accessLog: true
            """);

        Assert.Equivalent(new ServerConfiguration
        {
            InferenceAddress = "http://127.0.0.1:18080",
            ManagementAddress = "http://localhost:18081",
            MetricsAddress = "http://[::1]:18082",
            ModelStore = Path.Combine(Root, "my-store"),
            LoadModels = ["a", "b.mar"],
            Auth = "none",
            EnableModelApi = false,
            MaxRequestSize = 1 << 20,
            CorsAllowedOrigin = ["https://app.example.com"],
            CorsAllowedMethods = ["GET", "POST"],
            CorsAllowedHeaders = ["content-type", "x-mine"],
            MaxConnections = 5,
            DefaultMaxQueueSize = 6,
            DefaultResponseTimeout = TimeSpan.FromSeconds(7),
            DefaultStartupTimeout = TimeSpan.FromSeconds(8),
            UnregisterTimeout = TimeSpan.FromSeconds(9),
            DrainTimeout = TimeSpan.FromSeconds(10),
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            HeartbeatTimeout = TimeSpan.FromMilliseconds(300),
            RuntimeFolder = "/tmp/s",
            WorkerExecutable = Path.Combine(Root, "bin/serve-worker"),
            FastPath = "inline",
            LogLevel = "debug",
            AccessLog = true,
        }, read.Configuration, strict: true);
    }

    [Fact]
    public void Flags_go_before_the_environment_and_the_environment_before_the_file()
    {
        var read = Read("maxConnections: 1\ndefaultMaxQueueSize: 1\nlogLevel: error",
            environment: new() { ["SERVE_MAX_CONNECTIONS"] = "2", ["SERVE_DEFAULT_MAX_QUEUE_SIZE"] = "2", ["SERVE_LOAD_MODELS"] = "a, b", ["SERVE_LOG_LEVEL"] = "" },
            flags: new() { ["maxConnections"] = "3" });

        Assert.Equal((3, 2, "error"), (read.Configuration.MaxConnections, read.Configuration.DefaultMaxQueueSize, read.Configuration.LogLevel));
        Assert.Equal(["a", "b"], read.Configuration.LoadModels);
    }

    [Fact]
    public void Keys_in_sections_have_variables_and_flags_too()
    {
        var read = Read("metrics:\n  torchserveNames: true\nlogging:\n  format: json\n  files: 2\n  folder: logs",
            environment: new() { ["SERVE_METRICS_TORCHSERVE_NAMES"] = "false", ["SERVE_LOGGING_FILE_SIZE"] = "1MiB", ["SERVE_LOGGING_FILES"] = "4" },
            flags: new() { ["logging.files"] = "3" });

        Assert.False(read.Configuration.Metrics.TorchserveNames);
        Assert.Equal(new LoggingConfiguration { Format = "json", Files = 3, FileSize = 1 << 20, Folder = Path.Combine(Root, "logs") }, read.Configuration.Logging);

        var error = Assert.Throws<ConfigurationException>(() => Read("logging:\n  fromat: json", environment: new() { ["SERVE_LOGGING_FORMAT"] = "xml" }, flags: new() { ["logging.files"] = "0" }));
        Assert.Equal(
        [
            $"{ConfigFile}:2:3: logging.fromat: there is no such setting. Did you mean 'format'?",
            "environment variable SERVE_LOGGING_FORMAT: logging.format: xml is not allowed; give text or json.",
            "flag --logging-files: logging.files: 0 is not allowed; give a whole number from 1 to 10000",
        ], error.Problems.Select(problem => problem.ToString()));
    }

    [Fact]
    public void All_problems_of_all_sources_are_reported_at_once()
    {
        var error = Assert.Throws<ConfigurationException>(() => Read("maxConnections: many\ninference_address: x",
            environment: new() { ["SERVE_MAX_REQUEST_SIZE"] = "1MiX" },
            flags: new() { ["drainTimeout"] = "never", ["bogus"] = "1" }));

        Assert.Equal(
        [
            $"{ConfigFile}:1:17: maxConnections: many is not allowed; give a whole number from 1 to 1000000",
            $"{ConfigFile}:2:1: inference_address: there is no such setting. Did you mean 'inferenceAddress'?",
            "environment variable SERVE_MAX_REQUEST_SIZE: maxRequestSize: 1MiX is not allowed; give a number of bytes from 1024 to 2000000000, also with a unit (64MiB, 1GB)",
            "flag --drain-timeout: drainTimeout: never is not allowed; give a whole number of seconds or a number with a unit (50ms, 1.5s, 2m), from 0s to 24h",
            "flag --bogus: bogus: there is no such setting.",
        ], error.Problems.Select(problem => problem.ToString()));
    }

    [Fact]
    public void Unknown_variables_are_warnings_except_those_that_are_known_not_to_be_settings()
    {
        var read = Read("", environment: new() { ["SERVE_MODEL_STOR"] = "x", ["SERVE_WORKER_TOKEN"] = "secret", ["SERVE_SERVICE_HOST"] = "10.0.0.1", ["SERVE_PORT_8080_TCP"] = "tcp://10.0.0.1:8080", ["PATH"] = "/bin" });

        var warning = Assert.Single(read.Warnings);
        Assert.Equal("environment variable SERVE_MODEL_STOR: modelStor: there is no such setting. Did you mean 'modelStore'?", warning);
    }

    [Theory]
    [InlineData("http://0.0.0.0:8080")]
    [InlineData("http://[::]:8080")]
    [InlineData("http://*:8080")]
    [InlineData("http://192.168.1.5:8080")]
    public void An_address_that_others_can_reach_needs_auth_none(string address)
    {
        var error = Assert.Throws<ConfigurationException>(() => Read($"inferenceAddress: '{address}'"));
        Assert.Contains("can be reached from other machines, and nothing would ask who calls; give a loopback address (http://127.0.0.1:8080), tokens (inferenceTokens), or `auth: none`", error.Message, StringComparison.Ordinal);

        Assert.Equal(address, Read($"inferenceAddress: '{address}'\nauth: none").Configuration.InferenceAddress);
    }

    [Fact]
    public void The_source_of_an_exposed_address_is_named() =>
        Assert.StartsWith("environment variable SERVE_METRICS_ADDRESS: metricsAddress: http://0.0.0.0:8082 can be reached",
            Assert.Throws<ConfigurationException>(() => Read("", environment: new() { ["SERVE_METRICS_ADDRESS"] = "http://0.0.0.0:8082" })).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("managementAddress: http://0.0.0.0:8081")]
    [InlineData("grpcManagementAddress: http://0.0.0.0:7071")]
    public void Management_for_everybody_is_a_warning_and_registers_only_if_that_is_said(string yaml)
    {
        Assert.Contains("models cannot be registered and removed there", Assert.Single(Read($"{yaml}\nauth: none").Warnings), StringComparison.Ordinal);
        Assert.Contains("lets everyone who reaches it register", Assert.Single(Read($"{yaml}\nauth: none\nenableModelApi: true").Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("enableModelApi: false", false)]
    [InlineData("managementAddress: http://0.0.0.0:8081\nauth: none", false)]
    [InlineData("managementAddress: http://0.0.0.0:8081\nauth: none\nenableModelApi: true", true)]
    [InlineData("managementAddress: http://0.0.0.0:8081\nmanagementTokens: env:X", true)]
    [InlineData("managementAddress: http://0.0.0.0:8081\nmanagementTokens: env:X\nenableModelApi: false", false)]
    public void Models_are_registered_where_management_is_on_loopback_or_has_tokens(string yaml, bool allows)
    {
        var configuration = Read(yaml).Configuration;
        Assert.Equal(allows, Exposure.AllowsModelApi(configuration, "managementAddress", configuration.ManagementAddress));
    }

    [Theory]
    [InlineData("inferenceAddress: http://0.0.0.0:8080\ninferenceTokens: env:X", null)]
    [InlineData("metricsAddress: http://0.0.0.0:8082\ninferenceTokens: env:X", null)]
    [InlineData("inferenceAddress: https://0.0.0.0:8443\ncertificateFile: a\nprivateKeyFile: b\ninferenceClientCaFile: c", null)]
    [InlineData("managementAddress: http://0.0.0.0:8081\ninferenceTokens: env:X", "tokens (managementTokens)")]
    [InlineData("inferenceAddress: http://0.0.0.0:8080\nmanagementTokens: env:X", "tokens (inferenceTokens)")]
    [InlineData("metricsAddress: http://0.0.0.0:8082\nmanagementTokens: env:X", "tokens (inferenceTokens)")]
    public void Tokens_of_its_own_let_a_listener_be_reached_by_others(string yaml, string? problem)
    {
        if (problem is null) Read(yaml);
        else Assert.Contains(problem, Assert.Throws<ConfigurationException>(() => Read(yaml)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sources_of_tokens_are_read_and_files_are_found_from_where_they_are_named()
    {
        var hash = new string('a', 64);
        var read = Read($"inferenceTokens: [file:tokens, 'env:X', 'sha256:{hash} expires=2026-12-31']", environment: new() { ["SERVE_MANAGEMENT_TOKENS"] = "env:A,env:B", ["SERVE_TOKEN"] = "a-token-of-a-client" });
        Assert.Equal([$"file:{Path.Combine(Root, "tokens")}", "env:X", $"sha256:{hash} expires=2026-12-31"], read.Configuration.InferenceTokens);
        Assert.Equal(["env:A", "env:B"], read.Configuration.ManagementTokens);
        Assert.Empty(read.Warnings);
    }

    [Theory]
    [InlineData("inferenceTokens: secret-in-the-wrong-place")]
    [InlineData("inferenceTokens: [\"secret\\nwith a line\"]")]
    [InlineData("inferenceTokens: [[secret]]")]
    [InlineData("inferenceTokens: sha256:secret")]
    public void A_token_in_the_wrong_place_is_not_repeated(string yaml)
    {
        var error = Assert.Throws<ConfigurationException>(() => Read(yaml));
        Assert.StartsWith($"{ConfigFile}:1:18: inferenceTokens: ", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", Assert.Throws<ConfigurationException>(() => Read("", environment: new() { ["SERVE_INFERENCE_TOKENS"] = "secret" })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("inferenceAddress: localhost:8080", "localhost:8080 is no address; give http://HOST:PORT")]
    [InlineData("inferenceAddress: https://127.0.0.1:8443", "https://127.0.0.1:8443 needs a certificate; give certificateFile and privateKeyFile (PEM)")]
    [InlineData("certificateFile: a.crt", "is given without privateKeyFile; a certificate needs its key")]
    [InlineData("managementPrivateKeyFile: a.key", "is given without managementCertificateFile")]
    [InlineData("inferenceClientCaFile: ca.crt", "client certificates need TLS, and inferenceAddress is http://127.0.0.1:8080; give https://")]
    [InlineData("{inferenceAddress: 'https://127.0.0.1:8443', certificateFile: a, privateKeyFile: b, inferenceClientCaFile: c, clientCertificates: optional}", "optional lets clients with a certificate come without a token, and inferenceAddress has no tokens")]
    [InlineData("{inferenceAddress: 'https://0.0.0.0:8443', certificateFile: a, privateKeyFile: b}", "nothing would ask who calls")]
    [InlineData("{grpcInferenceAddress: 'http://0.0.0.0:7070', inferenceAddress: 'https://127.0.0.1:8443', certificateFile: a, privateKeyFile: b, inferenceClientCaFile: c}", "nothing would ask who calls")]
    [InlineData("inferenceAddress: http://127.0.0.1", "has no port")]
    [InlineData("inferenceAddress: http://127.0.0.1:70000", "\"70000\" is no port (0 to 65535)")]
    [InlineData("inferenceAddress: http://127.1:8080", "neither an IP address (IPv6 in brackets) nor localhost")]
    [InlineData("inferenceAddress: http://0x7f000001:8080", "neither an IP address")]
    [InlineData("inferenceAddress: http://example.com:8080", "names are not resolved")]
    [InlineData("inferenceAddress: http://a@127.0.0.1:8080", "neither an IP address")]
    [InlineData("managementAddress: http://localhost:8080", "http://localhost:8080 is taken by inferenceAddress (http://127.0.0.1:8080)")]
    [InlineData("grpcInferenceAddress: http://0.0.0.0:7070", "can be reached from other machines")]
    [InlineData("grpcManagementAddress: http://127.0.0.1:8081", "http://127.0.0.1:8081 is taken by managementAddress")]
    [InlineData("auth: token", "token is not allowed; give none")]
    [InlineData("loadModels: [all, a]", "has all beside other names")]
    [InlineData("heartbeatTimeout: 1500", "1500ms is not allowed with heartbeatInterval 1s; give at least twice the interval")]
    [InlineData("runtimeFolder: /tmp/a-folder-with-a-name-that-is-much-too-long/for-a-socket-path-of-108-bytes", "is longer than 70 bytes")]
    [InlineData("corsAllowedOrigin: https://app.example.com/", "https://app.example.com/ is not allowed; give origins as browsers send them")]
    [InlineData("corsAllowedOrigin: app.example.com", "app.example.com is not allowed; give origins")]
    [InlineData("corsAllowedMethods: [get]", "get is not allowed; give HTTP verbs in capitals")]
    [InlineData("corsAllowedHeaders: [\"x y\"]", "x y is not allowed; give names of headers")]
    [InlineData("fastPath: fast", "fast is not allowed; give pool or inline.")]
    [InlineData("accessLog: yes", "yes is not allowed; give true or false")]
    public void A_wrong_value_is_named_with_what_would_be_right(string yaml, string message) =>
        Assert.Contains(message, Assert.Throws<ConfigurationException>(() => Read(yaml)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_section_that_is_set_by_itself_and_by_its_keys_is_one_sentence() =>
        Assert.Equal("environment variable SERVE_TRACING: tracing: is a section, and is given a value beside its endpoint; remove the value",
            Assert.Throws<ConfigurationException>(() => Read("", environment: new() { ["SERVE_TRACING"] = "true", ["SERVE_TRACING_ENDPOINT"] = "http://127.0.0.1:4317" })).Message);

    [Fact]
    public void Port_0_may_be_given_to_every_listener() =>
        Read("inferenceAddress: http://127.0.0.1:0\nmanagementAddress: http://127.0.0.1:0\nmetricsAddress: http://127.0.0.1:0");

    [Fact]
    public void Paths_in_a_file_are_relative_to_the_folder_around_configs_or_else_to_the_files_own()
    {
        Assert.Equal(Path.Combine(Root, "store"), Read("modelStore: store").Configuration.ModelStore);
        Assert.Equal(Path.Combine(Root, "model-store"), Read("").Configuration.ModelStore);

        var elsewhere = ServerConfigurationReader.ReadText("modelStore: store", Path.Combine(Root, "etc", "serve.yaml"), currentFolder: "/");
        Assert.Equal(Path.Combine(Root, "etc", "store"), elsewhere.Configuration.ModelStore);
    }

    [Fact]
    public void Paths_in_flags_and_variables_are_relative_to_the_current_folder()
    {
        var here = Path.Combine(Root, "here");
        Assert.Equal(Path.Combine(here, "store"), ServerConfigurationReader.ReadText("", ConfigFile, flags: new Dictionary<string, string> { ["modelStore"] = "store" }, currentFolder: here).Configuration.ModelStore);
        Assert.Equal(Path.Combine(here, "w"), ServerConfigurationReader.ReadText("", ConfigFile, new Dictionary<string, string> { ["SERVE_WORKER_EXECUTABLE"] = "w" }, currentFolder: here).Configuration.WorkerExecutable);
    }

    [Fact]
    public void A_file_that_is_not_there_is_an_error() =>
        Assert.Contains("cannot be read", Assert.Throws<ConfigurationException>(() => ServerConfigurationReader.Read(Path.Combine(Root, "none.yaml"))).Message, StringComparison.Ordinal);

    private static ConfigurationRead<ServerConfiguration> Read(string yaml, Dictionary<string, string>? environment = null, Dictionary<string, string>? flags = null) =>
        ServerConfigurationReader.ReadText(yaml, ConfigFile, environment, flags, currentFolder: "/");
}
