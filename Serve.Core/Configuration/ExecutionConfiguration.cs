using System.Text.Json.Serialization;

namespace Serve.Core.Configuration;

/// <summary>How ONNX Runtime executes a model.</summary>
public sealed record ExecutionConfiguration
{
    /// <summary>
    /// Execution providers in order of preference: <c>tensorrt</c>, <c>cuda</c>, <c>cpu</c>. Empty: <c>cuda</c> then
    /// <c>cpu</c> on a GPU device, <c>cpu</c> on the CPU.
    /// </summary>
    public IReadOnlyList<string> Providers { get; init; } = [];

    /// <summary>How far the graph is optimized at load.</summary>
    public GraphOptimization GraphOptimization { get; init; } = GraphOptimization.All;

    /// <summary>
    /// Whether the optimized graph is kept in the server's cache folder, so that the next worker starts in a fraction of
    /// the time. Only for models large enough to gain. Default true.
    /// </summary>
    public bool OptimizedModelCache { get; init; } = true;

    /// <summary>Threads inside one operator; 0: chosen from the machine's cores and the number of instances.</summary>
    public int IntraOpThreads { get; init; }

    /// <summary>Threads across operators; more than 1 executes independent branches in parallel. Default 1.</summary>
    public int InterOpThreads { get; init; } = 1;

    /// <summary>Whether ONNX Runtime's threads spin while they wait: faster alone on a machine, half the throughput on a shared one. Default false.</summary>
    public bool AllowSpinning { get; init; }

    /// <summary>Whether memory on the CPU comes from an arena that keeps it. Default true.</summary>
    public bool CpuArena { get; init; } = true;

    /// <summary>Whether a run's memory is planned from the one before with the same shapes. Default true.</summary>
    public bool MemoryPattern { get; init; } = true;

    /// <summary>By how much the GPU's arena grows. Default: by what is needed.</summary>
    public ArenaExtendStrategy ArenaExtendStrategy { get; init; } = ArenaExtendStrategy.SameAsRequested;

    /// <summary>The most memory of the GPU that a worker's arena takes, in bytes; null: what there is.</summary>
    public long? GpuMemoryLimit { get; init; }

    /// <summary>How cuDNN's way of computing a convolution is chosen. Default heuristic.</summary>
    public CudnnConvAlgoSearch CudnnConvAlgoSearch { get; init; } = CudnnConvAlgoSearch.Heuristic;

    /// <summary>Whether float32 is multiplied in TF32 on GPUs that have it: faster, ten bits of mantissa. Default true.</summary>
    public bool UseTf32 { get; init; } = true;

    /// <summary>
    /// Whether a batch of each of <see cref="Buckets"/> is recorded as a CUDA graph and replayed: no launches of single
    /// kernels, for models whose every node runs on the GPU. Default false.
    /// </summary>
    public bool CudaGraphs { get; init; }

    /// <summary>
    /// The only sizes in which batches are executed, filled up with padding; <c>batchSize</c> is always one. Empty: every size,
    /// or with <see cref="CudaGraphs"/> powers of two up to the batch size.
    /// </summary>
    public IReadOnlyList<int> Buckets { get; init; } = [];

    /// <summary>More options of the CUDA provider by ONNX Runtime's names; they go before the keys here. None that decides about CUDA graphs or the device.</summary>
    public IReadOnlyDictionary<string, string> CudaOptions { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether TensorRT keeps its engines in the server's cache folder; building one takes minutes. Default true.</summary>
    public bool EngineCache { get; init; } = true;

    /// <summary>Whether TensorRT may compute a float32 model in 16 bits. Default false.</summary>
    public bool Fp16 { get; init; }

    /// <summary>More options of the TensorRT provider by ONNX Runtime's names; they go before the keys here. None that decides about CUDA graphs or the device.</summary>
    public IReadOnlyDictionary<string, string> TensorrtOptions { get; init; } = new Dictionary<string, string>();
}

/// <summary>By how much an arena grows when it is full.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ArenaExtendStrategy>))]
public enum ArenaExtendStrategy
{
    /// <summary>By what is asked for: other workers live on the device too.</summary>
    SameAsRequested,

    /// <summary>To the next power of two: fewer allocations, up to half of the memory unused.</summary>
    NextPowerOfTwo,
}

/// <summary>How cuDNN's way of computing a convolution is chosen.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CudnnConvAlgoSearch>))]
public enum CudnnConvAlgoSearch
{
    /// <summary>By cuDNN's rules: nothing is tried out.</summary>
    Heuristic,

    /// <summary>By trying all of them, anew for every batch size: ONNX Runtime's own default.</summary>
    Exhaustive,

    /// <summary>The one without extra memory.</summary>
    Default,
}

/// <summary>ONNX Runtime's graph optimization levels.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<GraphOptimization>))]
public enum GraphOptimization
{
    /// <summary>None.</summary>
    None,

    /// <summary>Redundant nodes, constant folding.</summary>
    Basic,

    /// <summary>Fusions too.</summary>
    Extended,

    /// <summary>Layout changes too.</summary>
    All,
}

/// <summary>What a worker runs before it is Ready, so that the first request is as fast as the thousandth.</summary>
public sealed record WarmupConfiguration
{
    /// <summary>Whether to warm up at all. Default true.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Runs of the model at the largest batch and at one row, each. Default 3.</summary>
    public int Runs { get; init; } = 3;

    /// <summary>Decodes of a small picture in handlers that decode. Default 100.</summary>
    public int Decodes { get; init; } = 100;
}
