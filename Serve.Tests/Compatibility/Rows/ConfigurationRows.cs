using System.IO.Compression;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Serve.Core.Configuration.TorchServe;
using Serve.Tests.EndToEnd;

namespace Serve.Tests.Compatibility.Rows;

/// <summary>Section 4: what TorchServe is configured with. The server of these checks has its configuration from an imported <c>config.properties</c>.</summary>
internal static class ConfigurationRows
{
    public static IEnumerable<Section> All => [Lookup, Properties, ModelConfiguration, Models, CommandLine, Archiver];

    private static Section Lookup => new("4.1", "Where settings come from",
    [
        Row.Differs("`config.properties`, found by `TS_CONFIG_FILE`, `--ts-config`, the last snapshot, or in the working directory", "`serve import-config` turns it into `serve.yaml`, which `--config` names.", s => s.IsAsync("GET /ping", 200)),
        Row.Differs("Variables go before flags, and flags before the file", "Flags go before variables, as people expect of a command line.", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.Flags_go_before_variables_and_variables_before_the_file))),
        Row.Differs("Variables `TS_…` count only with `enable_envvars_config=true`", "`SERVE_…` always count.", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.Flags_go_before_variables_and_variables_before_the_file))),
        Row.Same("`$$NAME$$` in a value is the variable NAME", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.Variables_in_values_are_replaced_by_the_import)), "When the file is imported."),
        Row.Not("`LOG_LOCATION`, `METRICS_LOCATION`, `JAVA_HOME`, `TEMP`", "`logging.folder` says where logs go, and there is no Java."),
    ]);

    private static Section Properties => new("4.2", "`config.properties`",
    [
        Row.Same("`inference_address`, `management_address`, `metrics_address`", async s =>
        {
            await s.IsAsync("GET /ping", 200);
            await s.IsAsync("M:GET /models", 200);
            await s.IsAsync("X:GET /metrics", 200);
        }),
        Row.Same("`https://` addresses", Evidence.In<TlsTests>(nameof(TlsTests.Every_listener_speaks_it_and_a_renewed_certificate_is_used_without_a_restart))),
        Row.Same("`private_key_file`, `certificate_file`", Evidence.In<TlsTests>(nameof(TlsTests.Every_listener_speaks_it_and_a_renewed_certificate_is_used_without_a_restart)), "`privateKeyFile`, `certificateFile`."),
        Row.Same("`token_expiration_min`", Evidence.In<KeyFileTests>(nameof(KeyFileTests.Tokens_are_made_renewed_and_removed)), "`tokenExpiration`."),
        Row.Not("`unix:` addresses", "A reverse proxy on the machine reaches a loopback address as well."),
        Row.Same("`grpc_inference_address` and `_port`, `grpc_management_address` and `_port`", async s =>
        {
            foreach (var address in (string[])[s.Server.GrpcInference, s.Server.GrpcManagement])
            {
                // A free port, as configured.
                Assert.NotInRange(new Uri(address).Port, 7070, 7071);
                using var channel = GrpcChannel.ForAddress(address);
                Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest())).Status);
            }
        }, "In one: `grpcInferenceAddress`, `grpcManagementAddress`."),
        Row.Same("`enable_grpc_ssl`", Evidence.In<TlsTests>(nameof(TlsTests.Every_listener_speaks_it_and_a_renewed_certificate_is_used_without_a_restart)), "The addresses begin with `https://`."),
        Row.Not("`grpc_…_max_connection_age_ms` and `_grace_ms`", "A connection may stay as long as it is used; an idle one ends by `keepAliveTimeout`."),
        Row.Same("`model_store`, `load_models`", async s => Assert.Contains("echo", (await s.AskAsync("M:GET /models")).Text, StringComparison.Ordinal)),
        Row.Same("`job_queue_size`", async s => Assert.Equal(77, (await s.DescribeAsync("echo")).GetProperty("maxQueueSize").GetInt32())),
        Row.Same("`default_response_timeout`, `default_startup_timeout`", async s =>
        {
            var version = await s.DescribeAsync("echo");
            Assert.Equal((33, 44), (version.GetProperty("responseTimeout").GetInt32(), version.GetProperty("startupTimeout").GetInt32()));
        }),
        Row.Same("`unregister_model_timeout`", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Unregistering_that_takes_too_long_is_a_408))),
        Row.Differs("`max_request_size`, 6,553,500 bytes", "The default is 64 MiB.", s => s.IsAsync("POST /predictions/echo", 413, body: new string('x', 1_048_577))),
        Row.Differs("`allowed_urls`, every URL by default", "None by default.", async s =>
        {
            await s.IsAsync("M:POST /models?url=https%3A%2F%2Fevil.example.com%2Fx.mar", 404, error: "ModelNotFoundException");
            await s.IsAsync("M:POST /models?url=http%3A%2F%2F127.0.0.1%3A9%2Fx.mar", 400, error: "DownloadArchiveException");
        }),
        Row.Same("`cors_allowed_origin`, `cors_allowed_methods`, `cors_allowed_headers`", async s => Assert.Equal("X-Custom-Header", (await s.AskAsync("GET /ping", headers: ("Origin", "https://app.example.com"))).Headers["Access-Control-Allow-Headers"])),
        Row.Differs("`enable_model_api`, false by default", "True by default, on loopback.", s => s.IsAsync("M:POST /models", 400)),
        Row.Same("`models`, `model_snapshot`", Evidence.In<SnapshotTests>(nameof(SnapshotTests.What_TorchServe_had_registered_is_registered_after_an_import))),
        Row.Differs("`disable_token_authorization`", "`auth: none`, needed only for addresses that are not on loopback.", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.An_address_for_others_needs_tokens_or_auth_none))),
        Row.Same("`debug`", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.Variables_in_values_are_replaced_by_the_import)), "`logLevel: debug`."),

        // What the import says of the others is the reason.
        .. TorchServeProperties.Ignored.Select(key => Row.Not($"`{key.Key}`", char.ToUpperInvariant(key.Value[0]) + key.Value[1..] + ".")),
    ]);

    private static Section ModelConfiguration => new("4.3", "`model-config.yaml`",
    [
        Row.Same("`minWorkers`, `maxWorkers`", s => s.WithModelAsync("yaml-workers", "EchoHandler", "minWorkers: 1\nmaxWorkers: 3", async () => await IsAsync(s, "yaml-workers", ("minWorkers", 1), ("maxWorkers", 3)), workers: 1), "`initial_workers` goes before `minWorkers`."),
        Row.Same("`batchSize`, `maxBatchDelay`", s => s.WithModelAsync("yaml-batch", "EchoHandler", "batchSize: 6\nmaxBatchDelay: 70", () => IsAsync(s, "yaml-batch", ("batchSize", 6), ("maxBatchDelay", 70)), workers: 0)),
        Row.Same("`responseTimeout`, `startupTimeout`", s => s.WithModelAsync("yaml-timeouts", "EchoHandler", "responseTimeout: 8\nstartupTimeout: 9", () => IsAsync(s, "yaml-timeouts", ("responseTimeout", 8), ("startupTimeout", 9)), workers: 0)),
        Row.Differs("`deviceType`: gpu if there is one", "cpu unless it says gpu.", async s => Assert.Equal("cpu", (await s.DescribeAsync("echo")).GetProperty("deviceType").GetString())),
        Row.Same("`deviceIds`", s => s.WithModelAsync("yaml-devices", "EchoHandler", "deviceType: gpu\ndeviceIds: [0, 1]", async () => Assert.Equal([0, 1], (await s.DescribeAsync("yaml-devices")).GetProperty("deviceIds").EnumerateArray().Select(id => id.GetInt32())), workers: 0)),
        Row.Same("`maxRetryTimeoutInSec`", s => s.WithModelAsync("yaml-retries", "EchoHandler", "maxRetryTimeoutInSec: 50", () => IsAsync(s, "yaml-retries", ("maxRetryTimeoutInSec", 50)), workers: 0)),
        Row.Same("`jobQueueSize`", s => s.WithModelAsync("yaml-queue", "EchoHandler", "jobQueueSize: 12", () => IsAsync(s, "yaml-queue", ("maxQueueSize", 12)), workers: 0)),
        Refused("parallelType", "pp", "a model is not split over devices"),
        Refused("parallelLevel", "2", "a model is not split over devices"),
        Refused("torchrun", "{nproc-per-node: 2}", "Serve starts its own workers"),
        Refused("clientTimeoutInMills", "100", "requests have deadlines"),
        Refused("useJobTicket", "true", "maxQueueSize: 1 refuses early"),
        Refused("useVenv", "true", "no Python runs"),
        Refused("pt2", "{compile: {enable: true}}", "ONNX Runtime optimizes the graph"),
        Refused("deepspeed", "{config: x}", "no Python runs"),
        Refused("pippy", "{chunks: 1}", "no Python runs"),
        Row.Later("`sequenceBatching`, `sequenceMaxIdleMSec`, `sequenceTimeoutMSec`, `maxNumSequence`, `maxSequenceJobQueueSize`", "With sequences."),
        Refused("continuousBatching", "true", "requests are batched as workers have room, and leave batches one by one"),
        Ignored("asyncCommunication", "true", "a batch is always decoded while another executes"),
        Ignored("micro_batching", "{micro_batch_size: 4}", "decoding always overlaps execution"),
        Row.Differs("Unknown keys go to the handler", "They are errors, with file, line and column; what is for the handler stands under `handlerOptions`.", async s =>
        {
            HandlerModels.Write(s.Store, "yaml-unknown", "EchoHandler", "colour: red");
            Assert.Contains("colour: there is no such setting", (await s.IsAsync("M:POST /models?url=yaml-unknown/1.0", 400, error: "InvalidModelException")).Error.Message, StringComparison.Ordinal);
        }),
        Row.Differs("Values of the wrong type are logged and ignored", "They are errors.", async s =>
        {
            HandlerModels.Write(s.Store, "yaml-wrong", "EchoHandler", "batchSize: many");
            Assert.Contains("batchSize: many is not allowed", (await s.IsAsync("M:POST /models?url=yaml-wrong/1.0", 400, error: "InvalidModelException")).Error.Message, StringComparison.Ordinal);
        }),
    ]);

    private static Section Models => new("4.4–4.6", "Models, snapshots, `load_models`",
    [
        Row.Same("`models={\"<name>\": {\"<version>\": {\"defaultVersion\", \"marName\", \"minWorkers\", \"maxWorkers\", \"batchSize\", …}}}`", Evidence.In<SnapshotTests>(nameof(SnapshotTests.What_TorchServe_had_registered_is_registered_after_an_import))),
        Row.Differs("A snapshot after each change, under `LOG_LOCATION/config`", "Before each change is answered, under `snapshotFolder`.", Evidence.In<SnapshotKillTests>(nameof(SnapshotKillTests.Every_acknowledged_change_survives_a_kill_at_any_moment))),
        Row.Same("A restart goes on with the last snapshot", Evidence.In<SnapshotTests>(nameof(SnapshotTests.Every_kind_of_change_survives_a_kill))),
        Row.Differs("A missing archive of a snapshot fails the start", "The others are served, and it stays in the snapshot.", Evidence.In<SnapshotTests>(nameof(SnapshotTests.The_last_good_snapshot_counts_and_what_cannot_be_opened_is_not_forgotten))),
        Row.Same("`--no-config-snapshots` switches them off", Evidence.In<SnapshotTests>(nameof(SnapshotTests.Without_snapshots_nothing_is_kept_and_one_server_at_a_time_keeps_them))),
        Row.Not("Another serializer by a plug-in", "Plug-ins are Java."),
        Row.Same("`load_models=all`", async s => Assert.True((await s.DescribeAsync("echo")).GetProperty("loadedAtStartup").GetBoolean())),
        Row.Differs("`load_models=a.mar, name=b.mar`", "The import keeps a `name=` that `models` has too; else the name in the archive counts, which it points out.", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.Variables_in_values_are_replaced_by_the_import))),
        Row.Same("A model that cannot be loaded is logged, and the server starts", Evidence.In<BadModelTests>(nameof(BadModelTests.A_server_starts_with_the_models_that_can_be_served))),
        Row.Same("Ports are open before models are ready", Evidence.In<LifecycleTests>(nameof(LifecycleTests.It_listens_before_its_models_are_ready))),
    ]);

    private static Section CommandLine => new("4.7", "`torchserve`",
    [
        Row.Same("`--start`, `--stop`, `--foreground`", Evidence.In<CommandLineTests>(nameof(CommandLineTests.Stop_ends_the_server)), "`serve start`, in the foreground, and `serve stop`."),
        Row.Same("`--version`", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.The_version_is_printed)), "`serve --version`."),
        Row.Same("`--ts-config`, `--model-store`, `--models`", async s =>
        {
            // The server has the first; its configuration names the other two.
            var models = (await s.JsonAsync("M:GET /models")).GetProperty("models").EnumerateArray().ToDictionary(model => model.GetProperty("modelName").GetString()!, model => model.GetProperty("modelUrl").GetString());
            Assert.All((string[])["headers", "echo", "failing", "idle", "fashion-vit"], name => Assert.Contains(name, models[name], StringComparison.Ordinal));
        }, "`--config`, `--model-store`, `--load-models`."),
        Row.Same("`--no-config-snapshots`, `--ncs`", Evidence.In<SnapshotTests>(nameof(SnapshotTests.Without_snapshots_nothing_is_kept_and_one_server_at_a_time_keeps_them))),
        Row.Same("`--enable-model-api`", Evidence.In<ManagementModeTests>(nameof(ManagementModeTests.Registering_and_unregistering_can_be_switched_off)), "`--enable-model-api true`."),
        Row.Differs("`--disable-token-auth`", "`--auth none`.", Evidence.In<CompatibilityCommandTests>(nameof(CompatibilityCommandTests.An_address_for_others_needs_tokens_or_auth_none))),
        Row.Not("`--log-config`, `--cpp-log-config`, `--plugins-path`, `--workflow-store`", "There are no Java logs, C++ workers, plug-ins or workflows."),
    ]);

    private static Section Archiver => new("4.8", "`torch-model-archiver`",
    [
        Row.Same("Its flags make an archive", Evidence.In<CommandLineTests>(nameof(CommandLineTests.An_archive_can_be_registered)), "`serve archive` ([cli.md](cli.md#serve-archive))."),
        Row.Same("`.mar`: a zip, flat, with `MAR-INF/MANIFEST.json`", Evidence.In<CommandLineTests>(nameof(CommandLineTests.An_archive_can_be_registered))),
        Row.Same("tgz with one folder at the top; plain folders; no manifest means version 1.0", s => s.WithModelAsync("plain", "EchoHandler", "", async () => Assert.Equal("1.0", (await s.DescribeAsync("plain")).GetProperty("modelVersion").GetString()), workers: 0)),
        Row.Differs("Archives hold PyTorch weights and Python handlers", "ONNX models, and .NET handlers or stock ones; anything else is refused with the export that it takes.", Evidence.In<BadModelTests>(nameof(BadModelTests.A_model_that_cannot_be_served_is_refused_with_the_reason_and_leaves_nothing))),
        Row.Differs("An archive is unpacked below the temporary folder; a folder is linked", "Below `runtimeFolder`; a folder is used where it is.", async s =>
        {
            var folders = Unpacked();
            Assert.Empty(folders);
            ZipFile.CreateFromDirectory(Path.Combine(s.Store, "echo", "1.0"), Path.Combine(s.Store, "packed.mar"));
            await s.IsAsync("M:POST /models?url=packed.mar&initial_workers=1", 200);
            await s.IsAsync("POST /predictions/packed", 200, "x", body: "x");
            Assert.Single(Unpacked());
            await s.IsAsync("M:DELETE /models/packed", 200);
            Assert.Empty(Unpacked());

            string[] Unpacked() => Directory.GetDirectories(s.Server.RuntimeFolder, "unpacked-*");
        }),
    ]);

    /// <summary>A key that a registration is refused for, with what to do instead; switched off, it is only a warning.</summary>
    private static Row Refused(string key, string value, string why) => Row.Differs($"`{key}`", $"Refused, with what to do instead: {why}.", async s =>
    {
        var name = $"yaml-{key}".ToLowerInvariant();
        HandlerModels.Write(s.Store, name, "EchoHandler", $"{key}: {value}");
        var answer = await s.IsAsync($"M:POST /models?url={name}/1.0", 400, error: "InvalidModelException");
        Assert.Contains($"{key}: ", answer.Error.Message, StringComparison.Ordinal);
        Assert.Contains("a key of TorchServe's that Serve does not have", answer.Error.Message, StringComparison.Ordinal);
    });

    /// <summary>A key that only is told to have no effect.</summary>
    private static Row Ignored(string key, string value, string why) => Row.Differs($"`{key}`", $"Ignored with a warning: {why}.", s => s.WithModelAsync($"yaml-{key.ToLowerInvariant()}", "EchoHandler", $"{key}: {value}", () =>
        s.Server.WaitForLogAsync(line => line.Contains($"yaml-{key.ToLowerInvariant()} version 1.0: ", StringComparison.Ordinal) && line.Contains($"{key}: TorchServe's key is ignored: ", StringComparison.Ordinal)), workers: 0));

    private static async Task IsAsync(CompatibilityServer server, string model, params (string Name, int Value)[] numbers)
    {
        var version = await server.DescribeAsync(model);
        Assert.All(numbers, number => Assert.Equal(number.Value, version.GetProperty(number.Name).GetInt32()));
    }
}
