using System.Globalization;
using Microsoft.ML.OnnxRuntime;

namespace Serve.Worker.Execution.Graphs;

/// <summary>The graph of batches of one size: recorded at its first run, replayed at every later one. Only on one thread.</summary>
/// <remarks>Hot path: allocates nothing.</remarks>
internal sealed class CudaGraph : IDisposable
{
    /// <summary>ONNX Runtime's id of a run that neither records nor replays.</summary>
    public const int None = -1;

    private readonly InferenceSession _session;
    private readonly RowLayout _layout;
    private readonly IDeviceMemory _memory;
    private readonly nint[] _inputs;
    private readonly nint[] _outputs;
    private readonly List<OrtValue> _values = [];
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _options;

    /// <param name="session">Whose graph.</param>
    /// <param name="layout">Of the rows.</param>
    /// <param name="size">Rows of a batch; the graph's id too.</param>
    /// <param name="memory">The device's.</param>
    /// <param name="inputs">Where each input begins there.</param>
    /// <param name="outputs">Where each output begins there.</param>
    public CudaGraph(InferenceSession session, RowLayout layout, int size, IDeviceMemory memory, nint[] inputs, nint[] outputs)
    {
        (_session, _layout, Size, _memory, _inputs, _outputs) = (session, layout, size, memory, inputs, outputs);
        _options = Options(size);
        _binding = session.CreateIoBinding();
        var signature = layout.Signature;
        for (var i = 0; i < inputs.Length; i++)
        {
            _binding.BindInput(signature.Inputs[i].Name, Value(ElementTypes.ToOnnx(signature.Inputs[i].ElementType), layout.InputShape(i, size), inputs[i], layout.InputBytes[i] * size));
        }

        for (var i = 0; i < outputs.Length; i++)
        {
            _binding.BindOutput(signature.Outputs[i].Name, Value(ElementTypes.ToOnnx(signature.Outputs[i].ElementType), layout.OutputShape(i, size), outputs[i], layout.OutputBytes[i] * size));
        }
    }

    /// <summary>Rows that are executed.</summary>
    public int Size { get; }

    /// <summary>Executes neighbouring rows of a slab: their outputs are in it afterwards.</summary>
    /// <param name="slab">The slab.</param>
    /// <param name="first">The first row.</param>
    /// <param name="rows">How many, at most <see cref="Size"/>.</param>
    public void Run(RowSlab slab, int first, int rows)
    {
        for (var i = 0; i < _inputs.Length; i++) _memory.CopyIn(_inputs[i], slab.InputAddress(i, first), _layout.InputBytes[i] * rows);
        _memory.Wait();
        _session.RunWithBinding(_options, _binding);
        for (var i = 0; i < _outputs.Length; i++) _memory.CopyOut(slab.OutputAddress(i, first), _outputs[i], _layout.OutputBytes[i] * rows);
        _memory.Wait();
    }

    /// <summary>Options that name a graph.</summary>
    public static RunOptions Options(int id)
    {
        var options = new RunOptions();
        options.AddRunConfigEntry("gpu_graph_id", id.ToString(CultureInfo.InvariantCulture));
        return options;
    }

    public void Dispose()
    {
        _binding.Dispose();
        _options.Dispose();
        foreach (var value in _values) value.Dispose();
    }

    private OrtValue Value(Microsoft.ML.OnnxRuntime.Tensors.TensorElementType element, long[] shape, nint address, long bytes)
    {
        var value = OrtValue.CreateTensorValueWithData(_memory.Info, element, shape, address, bytes);
        _values.Add(value);
        return value;
    }
}
