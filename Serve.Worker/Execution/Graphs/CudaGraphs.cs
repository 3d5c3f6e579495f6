using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Scheduling;

namespace Serve.Worker.Execution.Graphs;

/// <summary>
/// A session's recorded graphs: one for each size of a batch. A graph reads and writes the addresses that it was recorded with,
/// so inputs and outputs have places on the device that never change; the sizes share them, since one batch runs at a time.
/// </summary>
internal sealed class CudaGraphs : IDisposable
{
    private readonly IDeviceMemory _memory;
    private readonly CudaGraph[] _graphs;

    /// <param name="session">A session whose provider records graphs.</param>
    /// <param name="signature">The model's.</param>
    /// <param name="buckets">The sizes.</param>
    /// <param name="memory">Memory of the session's device; this object's from now on.</param>
    /// <exception cref="InvalidModelException">Shapes are not the same in every run.</exception>
    public CudaGraphs(InferenceSession session, ModelSignature signature, BatchBuckets buckets, IDeviceMemory memory)
    {
        _memory = memory;
        try
        {
            var layout = Layout(signature);
            var most = buckets.Sizes[^1];
            nint[] inputs = [.. layout.InputBytes.Select(bytes => Zeros(bytes * most))];
            nint[] outputs = [.. layout.OutputBytes.Select(bytes => memory.Allocate(bytes * most))];
            _graphs = [.. buckets.Sizes.ToArray().Select(size => new CudaGraph(session, layout, size, memory, inputs, outputs))];
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>A run that no graph is for: gives ONNX Runtime the id that means so.</summary>
    public static RunOptions WithoutGraph() => CudaGraph.Options(CudaGraph.None);

    /// <summary>The graph of a size; null: it has none.</summary>
    public CudaGraph? Of(int size)
    {
        foreach (var graph in _graphs)
        {
            if (graph.Size == size) return graph;
        }

        return null;
    }

    public void Dispose()
    {
        foreach (var graph in _graphs) graph.Dispose();
        _memory.Dispose();
    }

    private static RowLayout Layout(ModelSignature signature)
    {
        var layout = RowLayout.OfFixed(signature);
        if (layout is not null && layout.HasFixedOutputs) return layout;
        var first = signature.Batching == RowBatching.None ? 0 : 1;
        bool IsLoose(TensorInfo tensor) => tensor.ElementType == TensorElement.String || tensor.Shape.Count == 0 || tensor.Shape.Skip(first).Any(dimension => dimension <= 0);
        var (what, tensor) = signature.Inputs.FirstOrDefault(IsLoose) is { } input ? ("input", input) : ("output", signature.Outputs.First(IsLoose));
        throw new InvalidModelException($"cudaGraphs is true, but the {what} '{tensor.Name}' of shape {ShapeText.Of([.. tensor.Shape])} is not the same in every run: a CUDA graph needs numbers, and every dimension but the batch fixed. Export the model with fixed sizes, or set execution.cudaGraphs: false.");
    }

    // What is beyond a batch's rows must be something that the model takes; until a batch has filled it, zeros.
    private nint Zeros(long bytes)
    {
        var address = _memory.Allocate(bytes);
        using var zeros = RowMemory.AllocateZeros(bytes);
        _memory.CopyIn(address, zeros.Address, bytes);
        _memory.Wait();
        return address;
    }
}
