using Serve.Core.Configuration;

namespace Serve.Tests.Core.Configuration;

public sealed class ModelConfigurationReaderTests
{
    private static readonly ServerConfiguration Server = new();

    [Fact]
    public void No_file_and_an_empty_file_give_the_defaults()
    {
        var absent = ModelConfigurationReader.Read(Path.Combine(Path.GetTempPath(), "no-such-folder", "model-config.yaml"), Server);
        Assert.Equivalent(new ModelConfiguration { Instances = 0 }, absent.Configuration, strict: true);
        Assert.Equivalent(new ModelConfiguration { Instances = 0 }, Read("").Configuration, strict: true);
        Assert.Equivalent(new ModelConfiguration { Instances = 0 }, Read("# nothing\n---\n").Configuration, strict: true);
    }

    [Fact]
    public void A_model_takes_the_servers_defaults_where_it_says_nothing()
    {
        var server = new ServerConfiguration { DefaultMaxQueueSize = 7, DefaultResponseTimeout = TimeSpan.FromSeconds(3), DefaultStartupTimeout = TimeSpan.FromSeconds(4) };

        var configuration = ModelConfigurationReader.ReadText("startupTimeout: 5", "model-config.yaml", server).Configuration;

        Assert.Equal(7, configuration.MaxQueueSize);
        Assert.Equal(TimeSpan.FromSeconds(3), configuration.ResponseTimeout);
        Assert.Equal(TimeSpan.FromSeconds(5), configuration.StartupTimeout);
    }

    [Fact]
    public void Every_key_is_read()
    {
        var configuration = Read("""
            handler: lib/My.dll:My.Handlers.Echo
            modelFile: weights/model.onnx
            labelFile: labels.json
            topK: 3
            minWorkers: 2
            maxWorkers: 4
            instances: 2
            batchSize: 32
            batching: delayed
            maxBatchDelay: 20
            responseTimeout: 1.5s
            startupTimeout: 2m
            maxQueueSize: 1000
            priorityLevels: 3
            maxRetries: 7
            maxRetryTimeoutInSec: 60
            deviceType: gpu
            deviceIds: [0, 2]
            fallback: cpu
            decodeThreads: 4
            preprocessing:
              resize: 256
              crop: [224, 320]
              interpolation: bicubic
              scale: 1/127.5
              mean: [0.5]
              std: 0.25
              channels: bgr
              layout: nhwc
              maxImagePixels: 1000000
              decodeTimeout: 250
              jpegDecoder: imagesharp
              jpegScaling: fast
              formats: [jpeg, png]
            execution:
              providers: [cuda, cpu]
              cudaOptions:
                gpu_mem_limit: 2147483648
              graphOptimization: extended
              intraOpThreads: 3
              interOpThreads: 2
              allowSpinning: true
              optimizedModelCache: false
              cpuArena: false
              memoryPattern: false
              arenaExtendStrategy: nextPowerOfTwo
              gpuMemoryLimit: 6GiB
              cudnnConvAlgoSearch: exhaustive
              useTf32: false
              cudaGraphs: true
              buckets: [1, 8, 32]
              engineCache: false
              fp16: true
              tensorrtOptions:
                trt_builder_optimization_level: 5
            warmup:
              enabled: false
              runs: 1
              decodes: 0
            handlerOptions:
              greeting: "good day"
              limit: 5
            """).Configuration;

        var expected = new ModelConfiguration
        {
            Handler = "lib/My.dll:My.Handlers.Echo",
            ModelFile = "weights/model.onnx",
            LabelFile = "labels.json",
            TopK = 3,
            MinWorkers = 2,
            MaxWorkers = 4,
            Instances = 2,
            BatchSize = 32,
            Batching = BatchingMode.Delayed,
            MaxBatchDelay = TimeSpan.FromMilliseconds(20),
            ResponseTimeout = TimeSpan.FromSeconds(1.5),
            StartupTimeout = TimeSpan.FromMinutes(2),
            MaxQueueSize = 1000,
            PriorityLevels = 3,
            MaxRetries = 7,
            MaxRetryTimeout = TimeSpan.FromSeconds(60),
            DeviceType = DeviceType.Gpu,
            DeviceIds = [0, 2],
            Fallback = DeviceType.Cpu,
            DecodeThreads = 4,
            Preprocessing = new()
            {
                Resize = [256],
                Crop = [224, 320],
                Interpolation = Interpolation.Bicubic,
                Scale = 1 / 127.5,
                Mean = [0.5],
                Std = [0.25],
                Channels = ChannelOrder.Bgr,
                Layout = TensorLayout.Nhwc,
                MaxImagePixels = 1_000_000,
                DecodeTimeout = TimeSpan.FromMilliseconds(250),
                JpegDecoder = JpegDecoderChoice.ImageSharp,
                JpegScaling = JpegScaling.Fast,
                Formats = ["jpeg", "png"],
            },
            Execution = new()
            {
                Providers = ["cuda", "cpu"],
                CudaOptions = new Dictionary<string, string> { ["gpu_mem_limit"] = "2147483648" },
                GraphOptimization = GraphOptimization.Extended,
                IntraOpThreads = 3,
                InterOpThreads = 2,
                AllowSpinning = true,
                OptimizedModelCache = false,
                CpuArena = false,
                MemoryPattern = false,
                ArenaExtendStrategy = ArenaExtendStrategy.NextPowerOfTwo,
                GpuMemoryLimit = 6L << 30,
                CudnnConvAlgoSearch = CudnnConvAlgoSearch.Exhaustive,
                UseTf32 = false,
                CudaGraphs = true,
                Buckets = [1, 8, 32],
                EngineCache = false,
                Fp16 = true,
                TensorrtOptions = new Dictionary<string, string> { ["trt_builder_optimization_level"] = "5" },
            },
            Warmup = new() { Enabled = false, Runs = 1, Decodes = 0 },
            HandlerOptions = new Dictionary<string, string> { ["greeting"] = "good day", ["limit"] = "5" },
        };
        Assert.Equivalent(expected, configuration, strict: true);
    }

    [Fact]
    public void All_problems_are_reported_at_once_in_the_order_of_their_lines()
    {
        var error = Fails("""
            minWorkers: 3
            maxWorkers: 2
            batchsize: 8
            batching: sometimes
            preprocessing:
              rezise: 28
              mean: [0.1, 0.2]
            warmup: yes
            """);

        Assert.Equal(
        [
            "model-config.yaml:2:13: maxWorkers: maxWorkers is 2 and minWorkers 3; maxWorkers must be at least minWorkers",
            "model-config.yaml:3:1: batchsize: there is no such setting. Did you mean 'batchSize'?",
            "model-config.yaml:4:11: batching: sometimes is not allowed; give adaptive or delayed.",
            "model-config.yaml:6:3: preprocessing.rezise: there is no such setting. Did you mean 'resize'?",
            "model-config.yaml:7:9: preprocessing.mean: [0.1, 0.2] is not allowed; give one number for all channels, or one each, for example [0.485, 0.456, 0.406]",
            "model-config.yaml:8:9: warmup: yes is not allowed; give a mapping (indented lines of `key: value`)",
        ], error.Problems.Select(problem => problem.ToString()));
        Assert.StartsWith("6 problems:\n  model-config.yaml:2:13: ", error.Message, StringComparison.Ordinal);
        Assert.Equal((400, "InvalidModelException"), (error.Status, error.Type));
    }

    [Theory]
    [InlineData("batchSize: 0", "0 is not allowed; give a whole number from 1 to 4096")]
    [InlineData("batchSize: 4097", "4097 is not allowed; give a whole number from 1 to 4096")]
    [InlineData("batchSize: 1.5", "1.5 is not allowed; give a whole number from 1 to 4096")]
    [InlineData("batchSize: \"8\"", "\"8\" is not allowed; give a whole number from 1 to 4096 without quotes")]
    [InlineData("batchSize: [8]", "a list is not allowed; give a whole number from 1 to 4096")]
    [InlineData("batchSize:", "has no value; give a whole number from 1 to 4096, or remove the line for the default")]
    [InlineData("batchSize: 99999999999999999999", "99999999999999999999 is not allowed")]
    [InlineData("instances: 65", "65 is not allowed; give a whole number from 0 to 64")]
    [InlineData("priorityLevels: 101", "101 is not allowed; give a whole number from 1 to 100")]
    [InlineData("responseTimeout: 0", "0 is not allowed; give a whole number of seconds or a number with a unit (50ms, 1.5s, 2m), from 1ms to 24h")]
    [InlineData("responseTimeout: 0.5", "0.5 is not allowed; give a whole number of seconds or a number with a unit")]
    [InlineData("responseTimeout: 5 parsecs", "5 parsecs is not allowed")]
    [InlineData("maxBatchDelay: -1", "-1 is not allowed; give a whole number of milliseconds")]
    [InlineData("deviceType: neuron", "neuron is not supported; give cpu or gpu")]
    [InlineData("deviceType: gqu", "gqu is not allowed; give cpu or gpu. Did you mean 'gpu'?")]
    [InlineData("deviceIds: [0, 0]", "[0, 0] is not allowed; give device numbers from 0 to 1023, each once")]
    [InlineData("fallback: gpu", "gpu is not allowed; give cpu")]
    [InlineData("preprocessing: {std: [0.2, 0, 0.2]}", "[0.2, 0, 0.2] is not allowed; give numbers that are not 0")]
    [InlineData("preprocessing: {mean: [.nan]}", ".nan is not allowed")]
    [InlineData("preprocessing: {scale: 1/0}", "1/0 is not allowed; give a number above 0")]
    [InlineData("preprocessing: {channels: gray}", "gray has one channel, but mean has 3 values; give mean with one")]
    [InlineData("preprocessing: {resize: [1, 2, 3]}", "[1, 2, 3] is not allowed; give one number from 1 to 8192, two ([height, width]), or none")]
    [InlineData("preprocessing: {formats: []}", "is empty; give some of jpeg, png")]
    [InlineData("preprocessing: {formats: [jpg]}", "jpg is not allowed; give some of jpeg, png, gif, bmp, tiff, webp. Did you mean 'jpeg'?")]
    [InlineData("execution: {providers: [rocm]}", "rocm is not allowed; give some of tensorrt, cuda and cpu in order of preference")]
    [InlineData("execution: {buckets: [1, 1]}", "give batch sizes from 1 to 4096, each once")]
    [InlineData("execution: {cudaGraphs: true}", "cudaGraphs is true, but the model runs on the CPU")]
    [InlineData("deviceType: gpu\nexecution: {cudaOptions: {enable_cuda_graph: \"1\"}}", "execution.cudaOptions: enable_cuda_graph is not allowed here; use execution.cudaGraphs")]
    [InlineData("execution: {providers: [tensorrt], tensorrtOptions: {trt_cuda_graph_enable: true}}", "trt_cuda_graph_enable is not allowed here; use execution.cudaGraphs")]
    [InlineData("deviceType: gpu\nexecution: {cudaOptions: {device_id: 1}}", "device_id is not allowed here; use deviceIds")]
    [InlineData("execution: {gpuMemoryLimit: 1}", "1 is not allowed; give a number of bytes from 16777216")]
    [InlineData("execution: {providers: [cuda]}\ndeviceType: cpu", "is cpu, but execution.providers has cuda")]
    [InlineData("execution: {providers: [cpu]}\ndeviceType: gpu", "is gpu, but execution.providers has neither cuda nor tensorrt")]
    [InlineData("handler: model_handler.py:handle", "Serve runs no Python; export the model to ONNX")]
    [InlineData("handler: object_detector", "the handler object_detector is not available; use image_classifier, image_embedder, tensor")]
    [InlineData("handler: image_clasifier", "Did you mean 'image_classifier'?")]
    [InlineData("handler: ../x.dll:A.B", "the assembly's path ../x.dll contains the segment ..; give a path relative to the model's folder")]
    [InlineData("handler: {profile: true}", "is a section of TorchServe's Python handlers")]
    [InlineData("modelFile: /etc/passwd", "\"/etc/passwd\" is absolute; give a path relative to the model's folder, inside it")]
    [InlineData("labelFile: a/../../b", "contains the segment ..")]
    [InlineData("labelFile: \"a\\0b\"", "without control characters")]
    [InlineData("latencyTarget: 3s\nresponseTimeout: 2", "latencyTarget is 3s and responseTimeout 2s; latencyTarget must not be longer")]
    [InlineData("maxQueueSize: automatic", "automatic is not allowed; give a whole number from 1 to 1000000, or auto")]
    [InlineData("jobQueueSize: 5\nmaxQueueSize: 5", "is TorchServe's name of maxQueueSize, which is given too; remove one of them")]
    [InlineData("batchSize: 1\nbatchSize: 2", "stands twice, first in line 1; remove one of them")]
    [InlineData("parallelType: tp", "tp: a key of TorchServe's that Serve does not have: Serve does not split a model over devices")]
    [InlineData("torchrun: {nproc-per-node: 4}", "Serve starts its own workers")]
    [InlineData("pt2: {compile: true}", "ONNX Runtime optimizes the graph")]
    [InlineData("useVenv: true", "Serve runs no Python")]
    [InlineData("clientTimeoutInMills: 1", "use responseTimeout")]
    [InlineData("handlerOptions: {a: [1]}", "a list is not allowed; give one value")]
    [InlineData("[1, 2]", "must be a mapping (lines of `key: value`), not a list")]
    [InlineData("just text", "must be a mapping (lines of `key: value`), not just text")]
    [InlineData("a: 1\n---\nb: 2", "a second document begins here")]
    [InlineData("batchSize: !!int 5", "the tag tag:yaml.org,2002:int is not allowed; write the plain value")]
    [InlineData("a: *b", "no anchor &b stands before the alias *b")]
    [InlineData("? [a]\n: b", "a key must be a word, not a list")]
    [InlineData("<<: {batchSize: 5}", "merge keys are not supported; write the keys out")]
    [InlineData("batchSize: 1\n\tinstances: 2", "is not YAML")]
    [InlineData("mean: [1, 2", "is not YAML")]
    public void A_wrong_value_is_named_with_what_would_be_right(string yaml, string message) =>
        Assert.Contains(message, Fails(yaml).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("maxBatchDelay: 50ms\nbatching: delayed", 50)]
    [InlineData("maxBatchDelay: '1.5s'\nbatching: delayed", 1500)]
    [InlineData("maxBatchDelay: 2 m\nbatching: delayed", 120_000)]
    [InlineData("maxBatchDelay: 0\nbatching: delayed", 0)]
    public void Durations_have_TorchServes_unit_or_their_own(string yaml, int milliseconds) =>
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), Read(yaml).Configuration.MaxBatchDelay);

    [Fact]
    public void Max_workers_follows_min_workers() => Assert.Equal(3, Read("minWorkers: 3").Configuration.MaxWorkers);

    [Fact]
    public void Resize_can_be_given_switched_off_or_left_to_the_model()
    {
        Assert.Equal([28], Read("preprocessing: {resize: 28}").Configuration.Preprocessing.Resize);
        Assert.Empty(Read("preprocessing: {resize: none}").Configuration.Preprocessing.Resize!);
        Assert.Empty(Read("preprocessing: {resize: []}").Configuration.Preprocessing.Resize!);
        Assert.Null(Read("preprocessing: {resize: null}").Configuration.Preprocessing.Resize);
    }

    [Fact]
    public void The_cuda_provider_alone_chooses_the_gpu() =>
        Assert.Equal(DeviceType.Gpu, Read("execution: {providers: cuda}").Configuration.DeviceType);

    [Theory]
    [InlineData("asyncCommunication: true", "model-config.yaml:1:21: asyncCommunication: TorchServe's key is ignored")]
    [InlineData("useVenv: false", "TorchServe's key has no meaning here and is ignored")]
    [InlineData("parallelLevel: 1", "parallelLevel: TorchServe's key has no meaning here and is ignored")]
    [InlineData("maxNumSequence: 1", "maxNumSequence: TorchServe's key has no meaning here and is ignored")]
    [InlineData("maxSequenceJobQueueSize: 1", "maxSequenceJobQueueSize: TorchServe's key has no meaning here and is ignored")]
    [InlineData("maxBatchDelay: 50", "has no effect with `batching: adaptive`")]
    [InlineData("deviceIds: [0]", "has no effect with deviceType: cpu")]
    [InlineData("{deviceType: gpu, instances: 2, execution: {cudaGraphs: true}}", "instances: is 2, but has no effect with `cudaGraphs: true`")]
    public void What_has_no_effect_is_a_warning(string yaml, string warning) =>
        Assert.Contains(warning, Assert.Single(Read(yaml).Warnings), StringComparison.Ordinal);

    [Fact]
    public void Parameters_go_before_the_file_and_are_checked_like_it()
    {
        var file = Read("minWorkers: 2\nbatchSize: 8");

        var changed = Override(file, new Dictionary<string, string> { ["batchSize"] = "16", ["minWorkers"] = "5" });
        Assert.Equal((16, 5, 5), (changed.BatchSize, changed.MinWorkers, changed.MaxWorkers));

        var error = Assert.Throws<ConfigurationException>(() => Override(file, new Dictionary<string, string> { ["batchSize"] = "dd" }));
        Assert.Equal("parameter batchSize: batchSize: dd is not allowed; give a whole number from 1 to 4096", error.Message);
    }

    [Theory]
    [InlineData("maxQueueSize: 7", 7)]
    [InlineData("jobQueueSize: 7", 7)]
    [InlineData("maxQueueSize: auto", null)]
    [InlineData("batchSize: 2", null)]
    public void A_parameter_for_the_latency_target_leaves_the_queue_that_the_file_says(string yaml, int? size) =>
        Assert.Equal(size, Override(Read(yaml), new Dictionary<string, string> { ["latencyTarget"] = "50ms" }).MaxQueueSize);

    [Fact]
    public void A_section_with_a_value_beside_its_keys_is_a_problem_and_no_crash()
    {
        var error = Assert.Throws<ConfigurationException>(() => Override(Read(""), new Dictionary<string, string> { ["execution"] = "fast", ["execution.fp16"] = "true", ["execution.interOpThreads"] = "none" }));
        Assert.Equal(["execution", "execution.interOpThreads"], error.Problems.Select(problem => problem.Key));
        Assert.Equal("is a section, and is given a value beside its fp16, interOpThreads; remove the value", error.Problems[0].Message);
    }

    private static ModelConfiguration Override(ConfigurationRead<ModelConfiguration> file, Dictionary<string, string> values) =>
        ModelConfigurationReader.Override(file.Configuration, file.WrittenKeys, values, key => $"parameter {key}").Configuration;

    private static ConfigurationRead<ModelConfiguration> Read(string yaml) => ModelConfigurationReader.ReadText(yaml, "model-config.yaml", Server);

    private static ConfigurationException Fails(string yaml) => Assert.Throws<ConfigurationException>(() => Read(yaml));
}
