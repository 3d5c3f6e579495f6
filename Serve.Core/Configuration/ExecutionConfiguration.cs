using System.Text.Json.Serialization;

namespace Serve.Core.Configuration;

/// <summary>How ONNX Runtime executes a model.</summary>
public sealed record ExecutionConfiguration
{
    /// <summary>
    /// Execution providers in order of preference: <c>cuda</c>, <c>cpu</c>. Empty: <c>cuda</c> then <c>cpu</c> on a GPU
    /// device, <c>cpu</c> on the CPU.
    /// </summary>
    public IReadOnlyList<string> Providers { get; init; } = [];

    /// <summary>Options of the CUDA provider by ONNX Runtime's names, for example <c>gpu_mem_limit</c>.</summary>
    public IReadOnlyDictionary<string, string> CudaOptions { get; init; } = new Dictionary<string, string>();

    /// <summary>How far the graph is optimized at load.</summary>
    public GraphOptimization GraphOptimization { get; init; } = GraphOptimization.All;

    /// <summary>Threads inside one operator; 0: chosen from the machine's cores and the number of instances.</summary>
    public int IntraOpThreads { get; init; }

    /// <summary>Threads across operators; more than 1 executes independent branches in parallel. Default 1.</summary>
    public int InterOpThreads { get; init; } = 1;

    /// <summary>Whether ONNX Runtime's threads spin while they wait: faster alone on a machine, half the throughput on a shared one. Default false.</summary>
    public bool AllowSpinning { get; init; }
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
