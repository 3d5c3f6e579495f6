using Serve.Core.Configuration;
using Serve.Core.Configuration.TorchServe;
using Serve.Core.Models;
using Serve.Core.Models.Archives;
using Serve.Core.Models.Snapshots;

namespace Serve.Tests.Core.Configuration;

public sealed class TorchServeImportTests
{
    [Fact]
    public void Properties_are_read_as_Java_reads_them()
    {
        const string Text = "# comment\n! another\n\nkey=value\nspaced : a b \n  indented\tx\nlong=a,\\\n   b\nescaped\\:key=C\\:\\\\x\\u0041\nempty=\nalone\nkey=again\nend=\\";
        Assert.Equal(
        [
            (4, "key", "value"), (5, "spaced", "a b "), (6, "indented", "x"), (7, "long", "a,b"), (9, "escaped:key", "C:\\xA"), (10, "empty", ""), (11, "alone", ""), (12, "key", "again"), (13, "end", ""),
        ], PropertiesFile.Read(Text).Select(entry => (entry.Line, entry.Key, entry.Value)));
    }

    [Fact]
    public void The_configuration_of_TorchServes_container_becomes_one_of_Serves()
    {
        var import = Import("""
            inference_address=http://0.0.0.0:8080
            management_address=http://127.0.0.1:8081
            metrics_address=http://127.0.0.1:8082
            number_of_netty_threads=32
            job_queue_size=1000
            model_store=/home/model-server/model-store
            workflow_store=/home/model-server/wf-store
            load_models=resnet=resnet-18.mar, b.mar
            max_request_size=655350000
            default_response_timeout=30
            allowed_urls=https://models\\.example\\.com/.*,file:///models/.*
            disable_token_authorization=true
            enable_model_api=$$MODEL_API$$
            keystore=$$MISSING$$
            grpc_inference_port=7075
            nonsense=1
            """, variable => variable == "MODEL_API" ? "false" : null);

        var read = ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration;
        Assert.Equivalent(new ServerConfiguration
        {
            InferenceAddress = "http://0.0.0.0:8080",
            DefaultMaxQueueSize = 1000,
            ModelStore = "/home/model-server/model-store",
            LoadModels = ["resnet-18.mar", "b.mar"],
            MaxRequestSize = 655350000,
            DefaultResponseTimeout = TimeSpan.FromSeconds(30),
            AllowedUrls = ["https://models\\.example\\.com/.*", "file:///models/.*"],
            EnableModelApi = false,
            GrpcInferenceAddress = "http://127.0.0.1:7075",
            Auth = "none",
        }, read, strict: true);
        Notes(import, "4: number_of_netty_threads: ignored: Serve chooses its threads by itself", "7: workflow_store: ignored: there are no workflows",
            "8: ! load_models: the name of resnet=resnet-18.mar is not kept", "9: max_request_size: maxRequestSize: 655350000", "13: enable_model_api: enableModelApi: false",
            "14: ! keystore: not mapped: the variable MISSING is not set here", "15: grpc_inference_port: grpcInferenceAddress: http://127.0.0.1:7075", "16: ! nonsense: ignored: no key of TorchServe's");
    }

    [Fact]
    public void What_Serve_does_not_take_is_left_out_and_said()
    {
        var import = Import("""
            inference_address=https://127.0.0.1:8443
            management_address=http://127.0.0.1:9000
            metrics_address=http://127.0.0.1:9000
            max_request_size=lots
            allowed_urls=(
            job_queue_size=0
            model_store=models
            """);

        var read = ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration;
        Assert.Equivalent(new ServerConfiguration { ManagementAddress = "http://127.0.0.1:9000", ModelStore = "/ts/models", LoadModels = ["none"] }, read, strict: true);
        Notes(import, "1: ! inferenceAddress is left out: https://127.0.0.1:8443 needs a certificate", "3: ! metricsAddress is left out:", "4: ! max_request_size: not mapped: lots is not allowed", "5: ! allowed_urls: not mapped: ( is no regular expression", "6: ! job_queue_size: not mapped");
    }

    [Fact]
    public void A_listener_at_the_port_of_another_ones_default_is_left_out_and_nothing_else()
    {
        var import = Import("""
            inference_address=http://127.0.0.1:8081
            metrics_address=http://127.0.0.1:9002
            certificate_file=/certs/mycert.pem
            private_key_file=/certs/mykey.key
            """);

        var read = ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration;
        Assert.Equivalent(new ServerConfiguration { MetricsAddress = "http://127.0.0.1:9002", CertificateFile = "/certs/mycert.pem", PrivateKeyFile = "/certs/mykey.key", ModelStore = read.ModelStore, LoadModels = ["none"] }, read, strict: true);
        Notes(import, "1: ! inferenceAddress is left out: managementAddress: http://127.0.0.1:8081 is taken by inferenceAddress");
    }

    [Fact]
    public void Listeners_may_have_each_others_default_ports()
    {
        var import = Import("inference_address=http://127.0.0.1:8081\nmanagement_address=http://127.0.0.1:8080\n");

        var read = ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration;
        Assert.Equal(("http://127.0.0.1:8081", "http://127.0.0.1:8080"), (read.InferenceAddress, read.ManagementAddress));
    }

    [Fact]
    public void Each_that_is_left_out_has_its_own_reason()
    {
        var import = Import("""
            inference_address=http://127.0.0.1:9000
            management_address=https://127.0.0.1:9001
            metrics_address=http://127.0.0.1:9000
            """);

        Notes(import, "2: ! managementAddress is left out: https://127.0.0.1:9001 needs a certificate", "3: ! metricsAddress is left out: http://127.0.0.1:9000 is taken by inferenceAddress");
    }

    [Fact]
    public void A_listener_that_is_open_to_others_is_pointed_out_unless_TorchServe_had_no_tokens()
    {
        var import = Import("inference_address=http://0.0.0.0:8080\n");
        Notes(import, "1: ! inferenceAddress can be reached from other machines");
        Assert.Throws<ConfigurationException>(() => ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml"));
        Notes(import, "0: ! allowed_urls is not set: TorchServe then fetches models from every URL, Serve from none");
    }

    [Fact]
    public void PEM_files_and_the_key_file_are_kept_and_a_keystore_needs_attention()
    {
        var import = Import("""
            inference_address=https://0.0.0.0:8443
            management_address=https://127.0.0.1:8444
            private_key_file=mykey.key
            certificate_file=/certs/mycert.pem
            disable_token_authorization=false
            token_expiration_min=30
            keystore=keystore.p12
            keystore_pass=changeit
            enable_grpc_ssl=true
            """);

        var read = ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration;
        Assert.Equal(("https://0.0.0.0:8443", "/certs/mycert.pem", "/ts/mykey.key"), (read.InferenceAddress, read.CertificateFile, read.PrivateKeyFile));
        Assert.Equal(("/ts/key_file.json", TimeSpan.FromMinutes(30)), (read.KeyFile, read.TokenExpiration));
        Notes(import, "7: ! keystore: ignored: Serve takes PEM files", "8: keystore_pass: ignored", "9: enable_grpc_ssl: grpcInferenceAddress: https://127.0.0.1:7070", "9: enable_grpc_ssl: grpcManagementAddress: https://127.0.0.1:7071");
        Assert.Equal(("https://127.0.0.1:7070", "https://127.0.0.1:7071"), (read.GrpcInferenceAddress, read.GrpcManagementAddress));
        Assert.DoesNotContain(import.Notes, note => note.Text.Contains("changeit", StringComparison.Ordinal));
    }

    [Fact]
    public void The_gRPC_interfaces_have_address_and_port_in_one()
    {
        var import = Import("""
            grpc_inference_address=0.0.0.0
            grpc_inference_port=9090
            grpc_management_address=::1
            grpc_inference_max_connection_age_ms=60000
            grpc_inference_max_connection_age_grace_ms=5000
            enable_grpc_ssl=false
            disable_token_authorization=true
            """);

        var read = ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration;
        Assert.Equal(("http://0.0.0.0:9090", "http://[::1]:7071", "none"), (read.GrpcInferenceAddress, read.GrpcManagementAddress, read.Auth));
        Notes(import, "1: grpc_inference_address: grpcInferenceAddress: http://0.0.0.0:9090", "2: grpc_inference_port: part of grpcInferenceAddress", "3: grpc_management_address: grpcManagementAddress: ",
            "4: grpc_inference_max_connection_age_ms: ignored: a connection may stay", "5: grpc_inference_max_connection_age_grace_ms: ignored: ", "6: enable_grpc_ssl: ignored: false is the default");

        var wrong = Import("grpc_management_port=many\nenable_grpc_ssl=true\n");
        Notes(wrong, "1: ! grpc_management_port: not mapped: ", "2: ! grpcInferenceAddress is left out: https://127.0.0.1:7070 needs a certificate");
        Notes(Import("grpc_inference_address=0.0.0.0\n"), "1: ! grpcInferenceAddress can be reached from other machines");
    }

    [Fact]
    public void A_model_snapshot_becomes_a_snapshot()
    {
        var import = Import("""
            load_models=all
            models={"old": {"1.0": {"marName": "old.mar"}}}
            model_snapshot={\n  "name": "20250620-shutdown.cfg",\n  "modelCount": 2,\n  "created": 1750000000000,\n  "models": {\n "noop": {"1.0": {"defaultVersion": false, "marName": "noop.mar", "minWorkers": 0, "maxWorkers": 3, "batchSize": 4, "maxBatchDelay": 200, "responseTimeout": -1, "startupTimeout": 60, "runtimeType": "PYTHON"},\n "2.0": {"defaultVersion": true, "marName": "noop2.mar"}},\n "bad/name": {"1.0": {"marName": "x.mar"}}}\n}
            """);
        var notes = new List<ImportNote>();

        var snapshot = TorchServeModels.Read(import, notes);

        Assert.Equal(["none"], import.Configuration.LoadModels);
        var model = Assert.Single(snapshot.Models);
        Assert.Equal(("noop", "2.0"), (model.Name, model.Default));
        Assert.Equal(
        [
            new VersionSnapshot { Version = "1.0", Url = "noop.mar", BatchSize = 4, MaxBatchDelay = TimeSpan.FromMilliseconds(200), StartupTimeout = TimeSpan.FromSeconds(60), Workers = new(0, 3) },
            new VersionSnapshot { Version = "2.0", Url = "noop2.mar" },
        ], model.Versions);
        Assert.Contains(notes, note => note.NeedsAttention && note.Text.Contains("bad/name 1.0: not mapped", StringComparison.Ordinal));
        Assert.Contains(notes, note => note.Text == "models: noop 1.0: runtimeType: ignored: it has no meaning in Serve");
        Notes(import, "2: models: ignored: model_snapshot says the same");
    }

    [Fact]
    public void Models_count_only_where_they_are_loaded()
    {
        var import = Import("load_models=a.mar\nmodels={\"a\": {\"1.0\": {\"marName\": \"a.mar\"}}, \"b\": {\"1.0\": {\"marName\": \"b.mar\"}}}\n");
        var notes = new List<ImportNote>();
        Assert.Equal("a", Assert.Single(TorchServeModels.Read(import, notes).Models).Name);
        Assert.Contains(notes, note => note.Text == "models: b 1.0: ignored: load_models does not name b.mar");

        var wrong = Import("models={\"a\": [1]}\n");
        Assert.Contains("line 1: the models are not what TorchServe writes", Assert.Throws<Serve.Core.Errors.InvalidModelException>(() => TorchServeModels.Read(wrong, notes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_load_models_nothing_is_loaded_and_defaults_that_differ_are_said()
    {
        var import = Import("models={\"a\": {\"1.0\": {\"marName\": \"a.mar\"}}}\n");
        var notes = new List<ImportNote>();

        Assert.Equal(["none"], ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration.LoadModels);
        Assert.Empty(TorchServeModels.Read(import, notes).Models);
        Assert.Equal("models: a 1.0: ignored: load_models does not name a.mar", Assert.Single(notes).Text);
        Notes(import, "0: ! load_models is not set: loadModels: none, as TorchServe then loads no models", "0: ! enable_model_api is not set: TorchServe then registers and unregisters no models");

        var unmapped = Import("load_models=$$MODELS$$\nenable_model_api=$$API$$\n");
        Assert.Equal(["none"], ServerConfigurationReader.ReadText(unmapped.Yaml, "/etc/serve.yaml").Configuration.LoadModels);
        Notes(unmapped, "1: ! load_models: not mapped", "2: ! enable_model_api: not mapped", "0: ! loadModels: none, until load_models is mapped by hand");
        Assert.DoesNotContain(unmapped.Notes, note => note.Text.Contains("is not set:", StringComparison.Ordinal) && !note.Text.StartsWith("allowed_urls", StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_that_the_snapshot_registers_is_not_loaded_by_its_archive_too()
    {
        using var store = new TemporaryFolder();
        Pack(store, "other", "r.mar");
        const string Models = "models={\"resnet\": {\"1.0\": {\"marName\": \"r.mar\"}}, \"c\": {\"1.0\": {\"marName\": \"c.mar\"}}}\n";

        var (import, models, _) = ImportModels($"model_store={store.Path}\nload_models=resnet=r.mar,c.mar\n{Models}");
        Assert.Equal(["resnet", "c"], models.Models.Select(model => model.Name));
        Assert.Equal(["none"], ServerConfigurationReader.ReadText(import.Yaml, "/etc/serve.yaml").Configuration.LoadModels);
        Notes(import, "2: load_models: resnet=r.mar is registered from the snapshot", "2: load_models: c.mar is registered from the snapshot");
        Assert.DoesNotContain(import.Notes, note => note.Text.Contains("is not kept", StringComparison.Ordinal));

        // One archive may be several models.
        (import, models, _) = ImportModels($"model_store={store.Path}\nload_models=r.mar,resnet=r.mar,b=r.mar\n{Models}");
        Assert.Equal(["resnet"], models.Models.Select(model => model.Name));
        Assert.Equal(["r.mar"], import.Configuration.LoadModels);
        Notes(import, "2: load_models: resnet=r.mar is registered from the snapshot", "2: ! load_models: the name of b=r.mar is not kept");
    }

    [Theory]
    [InlineData("r.mar", "1.0", "r.mar is loaded as other 1.0")]
    [InlineData("all", "1.0", "r.mar is loaded as other 1.0")]
    [InlineData("x=r.mar", "1.0", "r.mar is loaded as x")]
    [InlineData("resnet=r.mar", "2.0", "r.mar is loaded as resnet 1.0")]
    public void Models_count_by_the_name_and_version_that_are_loaded(string loaded, string version, string why)
    {
        using var store = new TemporaryFolder();
        Pack(store, "other", "r.mar");

        var (import, models, notes) = ImportModels($"model_store={store.Path}\nload_models={loaded}\nmodels={{\"resnet\": {{\"{version}\": {{\"marName\": \"r.mar\"}}}}}}\n");
        Assert.Empty(models.Models);
        Assert.Equal($"models: resnet {version}: ignored: {why}", Assert.Single(notes).Text);
        Assert.Equal([loaded == "all" ? "all" : "r.mar"], import.Configuration.LoadModels);
    }

    [Fact]
    public void A_folder_in_the_store_is_a_model_that_is_there()
    {
        using var store = new TemporaryFolder();
        Pack(store, "plain", "plain", ArchiveFormat.NoArchive);

        var (_, _, notes) = ImportModels($"model_store={store.Path}\nload_models=plain,gone\nmodels={{\"plain\": {{\"1.0\": {{\"marName\": \"plain\"}}}}, \"gone\": {{\"1.0\": {{\"marName\": \"gone\"}}}}}}\n");
        Assert.Equal([("models: plain 1.0: registered from plain at the next start", false), ("models: gone 1.0: registered from gone at the next start, as soon as it is in the model store", true)], notes.Select(note => (note.Text, note.NeedsAttention)));
    }

    [Theory]
    [InlineData("\"minWorkers\": 100000", 256, 256, "minWorkers is 100000: 256 instead, the most that a version may have")]
    [InlineData("\"minWorkers\": 2, \"maxWorkers\": 2147483647", 2, 256, "maxWorkers is 2147483647: 256 instead, the most that a version may have")]
    [InlineData("\"minWorkers\": 1, \"maxWorkers\": 256", 1, 256, null)]
    public void More_workers_than_a_version_may_have_are_not_imported(string workers, int min, int max, string? said)
    {
        var (_, models, notes) = ImportModels($"model_snapshot={{\"modelCount\": 1, \"models\": {{\"m\": {{\"1.0\": {{\"marName\": \"m.mar\", {workers}}}}}}}}}\n");
        Assert.Equal(new WorkerRange(min, max), Assert.Single(Assert.Single(models.Models).Versions).Workers);
        Assert.Equal((string[])(said is null ? [] : [$"models: m 1.0: {said}"]), notes.Where(note => note.NeedsAttention && note.Text.Contains("Workers", StringComparison.Ordinal)).Select(note => note.Text));
    }

    [Fact]
    public void Every_key_that_is_mapped_is_a_key_of_Serves()
    {
        var keys = typeof(ServerConfiguration).GetProperties().Select(property => char.ToLowerInvariant(property.Name[0]) + property.Name[1..]).ToList();
        Assert.All(TorchServeProperties.Same.Values, key => Assert.Contains(key, keys));
        Assert.Empty(TorchServeProperties.Same.Keys.Intersect(TorchServeProperties.Ignored.Keys));
    }

    private static TorchServeImport Import(string text, Func<string, string?>? environment = null, IReadOnlyCollection<StartupModel>? registered = null) =>
        TorchServeImport.Of(text, "config.properties", "/etc/serve.yaml", "/ts", environment ?? (_ => null), registered);

    /// <summary>As <c>serve import-config</c> does it, without writing anything.</summary>
    private static (TorchServeImport Import, RegistrySnapshot Models, List<ImportNote> Notes) ImportModels(string text)
    {
        var notes = new List<ImportNote>();
        var import = Import(text);
        var models = TorchServeModels.Read(import, notes);
        return (Import(text, registered: TorchServeModels.Registered(import, models)), models, notes);
    }

    /// <summary>A model in a store, in an archive of another name.</summary>
    private static void Pack(TemporaryFolder store, string model, string archive, ArchiveFormat format = ArchiveFormat.Default)
    {
        using var files = new TemporaryFolder();
        var packed = ModelArchiver.Create(new ArchiveRequest { ModelName = model, SerializedFile = files.Write("net.onnx", "m"), ExportPath = store.Path, Format = format });
        if (packed != store[archive]) File.Move(packed, store[archive]);
    }

    private static void Notes(TorchServeImport import, params string[] beginnings)
    {
        var notes = import.Notes.Select(note => $"{note.Line}: {(note.NeedsAttention ? "! " : "")}{note.Text}").ToList();
        Assert.All(beginnings, beginning => Assert.Contains(notes, note => note.StartsWith(beginning, StringComparison.Ordinal)));
    }
}
