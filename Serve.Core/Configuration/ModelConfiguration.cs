namespace Serve.Core.Configuration;

/// <summary>
/// How one model version is served: the contents of its <c>model-config.yaml</c>, validated. Keys are these names in
/// camelCase; where TorchServe has the key, name, unit and default are TorchServe's.
/// </summary>
public sealed record ModelConfiguration
{
    /// <summary>
    /// A stock handler (<c>image_classifier</c>, <c>image_embedder</c>, <c>tensor</c>, <c>repeat</c>) or a user's class in an assembly of
    /// the model folder, <c>Assembly.dll:Namespace.Type</c>. Null: <c>tensor</c>.
    /// </summary>
    public string? Handler { get; init; }

    /// <summary>The model's file, relative to its folder. Null: the only <c>*.onnx</c> there, if there is one.</summary>
    public string? ModelFile { get; init; }

    /// <summary>Labels, relative to the folder, in TorchServe's <c>index_to_name.json</c> format. Null: that name, if the file exists.</summary>
    public string? LabelFile { get; init; }

    /// <summary>How many of the most probable classes a classifier answers with; TorchServe's <c>set_max_result_classes</c>.</summary>
    public int TopK { get; init; } = 5;

    /// <summary>The fewest worker processes to keep; 0 keeps the version registered without serving it. Default 1.</summary>
    public int MinWorkers { get; init; } = 1;

    /// <summary>The most worker processes; never under <see cref="MinWorkers"/>. Default: <see cref="MinWorkers"/>.</summary>
    public int MaxWorkers { get; init; } = 1;

    /// <summary>When their number changes by itself between <see cref="MinWorkers"/> and <see cref="MaxWorkers"/>; null, the default: only by hand.</summary>
    public AutoscaleConfiguration? Autoscale { get; init; }

    /// <summary>Parallel executions inside one worker, over one copy of the weights. 0, a file's default: <see cref="DefaultInstances"/> chooses when the model is registered.</summary>
    public int Instances { get; init; } = 1;

    /// <summary>The most rows in one batch. Default 1, as TorchServe's.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Whether the first dimension of an ONNX model's inputs and outputs is the batch. Default <see cref="BatchDimension.Auto"/>.</summary>
    public BatchDimension BatchDimension { get; init; } = BatchDimension.Auto;

    /// <summary>When a batch closes. Default <see cref="BatchingMode.Adaptive"/>.</summary>
    public BatchingMode Batching { get; init; } = BatchingMode.Adaptive;

    /// <summary>
    /// How long an incomplete batch may wait, from the arrival of its oldest request. Milliseconds in the file. Only for
    /// <see cref="BatchingMode.Delayed"/>. Default 100 ms.
    /// </summary>
    public TimeSpan MaxBatchDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a request may take, and how long a worker may hold a batch. Seconds in the file. Default 120 s.</summary>
    public TimeSpan ResponseTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>How long a worker may take from its start to Ready. Seconds in the file. Default 120 s.</summary>
    public TimeSpan StartupTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>
    /// How soon an answer must come to be of use: the deadline of requests that name none. What would take longer is refused at
    /// its arrival. Milliseconds in the file. Null: <see cref="ResponseTimeout"/>.
    /// </summary>
    public TimeSpan? LatencyTarget { get; init; }

    /// <summary>
    /// The most requests that wait for this version; one more is answered 503. TorchServe's <c>jobQueueSize</c> is an alias.
    /// Null, <c>auto</c> in the file: as many as can be answered within <see cref="LatencyTarget"/>, else
    /// <see cref="ResponseTimeout"/>, by what was measured. Default: auto with a <see cref="LatencyTarget"/>, else 100.
    /// </summary>
    public int? MaxQueueSize { get; init; } = 100;

    /// <summary>Priority lanes: 1 is one lane. A request's priority is 1 (highest) to this number; the middle is the default.</summary>
    public int PriorityLevels { get; init; } = 1;

    /// <summary>How often in a row workers may fail before the version is Failed. Default 5.</summary>
    public int MaxRetries { get; init; } = 5;

    /// <summary>The time in which <see cref="MaxRetries"/> failures must fall. TorchServe's <c>maxRetryTimeoutInSec</c>. Default 300 s.</summary>
    public TimeSpan MaxRetryTimeout { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Where workers run. Default: the CPU, unless execution providers say otherwise.</summary>
    public DeviceType DeviceType { get; init; } = DeviceType.Cpu;

    /// <summary>Device numbers that workers are spread over, round robin; empty: device 0.</summary>
    public IReadOnlyList<int> DeviceIds { get; init; } = [];

    /// <summary>What to do when the device asked for is not there: null fails the load, <see cref="DeviceType.Cpu"/> serves on the CPU.</summary>
    public DeviceType? Fallback { get; init; }

    /// <summary>Threads that decode and preprocess in one worker; 0: chosen from the machine's cores.</summary>
    public int DecodeThreads { get; init; }

    /// <summary>How pictures become tensors.</summary>
    public PreprocessingConfiguration Preprocessing { get; init; } = new();

    /// <summary>How ONNX Runtime executes.</summary>
    public ExecutionConfiguration Execution { get; init; } = new();

    /// <summary>What a worker runs before it is Ready.</summary>
    public WarmupConfiguration Warmup { get; init; } = new();

    /// <summary>Whether answers are kept for requests with the same input.</summary>
    public ResponseCacheConfiguration ResponseCache { get; init; } = new();

    /// <summary>The user's own settings for a custom handler, <c>handlerOptions</c> in the file: free keys, scalar values as text.</summary>
    public IReadOnlyDictionary<string, string> HandlerOptions { get; init; } = new Dictionary<string, string>();
}
