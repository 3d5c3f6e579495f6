namespace Serve.Core.Configuration.TorchServe;

/// <summary>What each key of TorchServe's <c>config.properties</c> becomes.</summary>
internal static class TorchServeProperties
{
    private const string RunsNoPython = "Serve runs no Python";
    private const string IsPem = "Serve takes PEM files (certificateFile, privateKeyFile); docs/configuration.md, \"TLS\", has the commands that convert a keystore";
    private const string BySelf = "Serve chooses its threads by itself";
    private const string InModel = "a setting of each model (model-config.yaml)";

    /// <summary>Keys with a key of Serve's that takes the same values.</summary>
    public static IReadOnlyDictionary<string, string> Same { get; } = new Dictionary<string, string>
    {
        ["inference_address"] = "inferenceAddress",
        ["management_address"] = "managementAddress",
        ["metrics_address"] = "metricsAddress",
        ["model_store"] = "modelStore",
        ["load_models"] = "loadModels",
        ["enable_model_api"] = "enableModelApi",
        ["max_request_size"] = "maxRequestSize",
        ["job_queue_size"] = "defaultMaxQueueSize",
        ["default_response_timeout"] = "defaultResponseTimeout",
        ["default_startup_timeout"] = "defaultStartupTimeout",
        ["unregister_model_timeout"] = "unregisterTimeout",
        ["allowed_urls"] = "allowedUrls",
        ["certificate_file"] = "certificateFile",
        ["private_key_file"] = "privateKeyFile",
        ["token_expiration_min"] = "tokenExpiration",
        ["cors_allowed_origin"] = "corsAllowedOrigin",
        ["cors_allowed_methods"] = "corsAllowedMethods",
        ["cors_allowed_headers"] = "corsAllowedHeaders",
    };

    /// <summary>Keys that have no counterpart, and why none is needed or what to do instead.</summary>
    public static IReadOnlyDictionary<string, string> Ignored { get; } = new Dictionary<string, string>
    {
        ["workflow_store"] = "there are no workflows; TorchServe has switched them off too",
        ["default_workers_per_model"] = $"minWorkers is {InModel}",
        ["number_of_gpu"] = $"deviceIds is {InModel}",
        ["number_of_netty_threads"] = BySelf,
        ["netty_client_threads"] = BySelf,
        ["max_response_size"] = "answers are not limited",
        ["decode_input_request"] = "handlers get the bytes and their content type",
        ["limit_max_image_pixels"] = $"there always is a limit; preprocessing.maxImagePixels is {InModel}",
        ["async_logging"] = "the log never holds a request up",
        ["blacklist_env_vars"] = RunsNoPython,
        ["keystore"] = IsPem,
        ["keystore_pass"] = IsPem,
        ["keystore_type"] = IsPem,
        ["prefer_direct_buffer"] = "a setting of Java's network library",
        ["use_native_io"] = "workers always speak over Unix sockets",
        ["io_ratio"] = "a setting of Java's network library",
        ["use_env_allowed_urls"] = "SERVE_ALLOWED_URLS goes before the file",
        ["install_py_dep_per_model"] = RunsNoPython,
        ["enable_metrics_api"] = "metrics have a listener of their own (metricsAddress)",
        ["metrics_mode"] = "/metrics always has everything, also by TorchServe's names (docs/metrics.md)",
        ["metrics_config"] = "/metrics always has everything (docs/metrics.md)",
        ["model_metrics_auto_detect"] = RunsNoPython,
        ["disable_system_metrics"] = "there is no process for system metrics",
        ["system_metrics_cmd"] = "there is no process for system metrics",
        ["metric_time_interval"] = "metrics are measured when they are asked for",
        ["service_envelope"] = "Serve tells the protocol by the route",
        ["default_service_handler"] = $"handler is {InModel}",
        ["initial_worker_port"] = "workers always speak over Unix sockets",
        ["initial_distribution_port"] = "a model is not split over devices",
        ["ipex_enable"] = RunsNoPython,
        ["ipex_gpu_enable"] = RunsNoPython,
        ["cpu_launcher_enable"] = $"{RunsNoPython}; execution.intraOpThreads is {InModel}",
        ["cpu_launcher_args"] = $"{RunsNoPython}; execution.intraOpThreads is {InModel}",
        ["cpp_log_config"] = "there is no C++ worker",
        ["model_server_home"] = RunsNoPython,
        ["vmargs"] = "Serve runs no Java",
        ["plugins_path"] = "Java plug-ins cannot be loaded",
        ["enable_envvars_config"] = "variables always go before the file, by the names SERVE_…",
        ["ts_header_key_sequence_id"] = "Serve has no sequences of requests",
        ["ts_header_key_sequence_start"] = "Serve has no sequences of requests",
        ["ts_header_key_sequence_end"] = "Serve has no sequences of requests",
        ["snapshot_store"] = "snapshots are files (snapshotFolder)",
    };

    /// <summary>Prefixes of keys that have no counterpart.</summary>
    public static IReadOnlyDictionary<string, string> IgnoredPrefixes { get; } = new Dictionary<string, string>
    {
        ["grpc_"] = "a connection may stay as long as it is used, and ends by keepAliveTimeout when it is idle",
        ["ts_open_inference_protocol"] = "see docs/rest-api.md for the protocols that there are",
    };
}
