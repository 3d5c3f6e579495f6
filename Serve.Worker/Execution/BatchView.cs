using Microsoft.ML.OnnxRuntime;

namespace Serve.Worker.Execution;

/// <summary>Neighbouring rows of a slab as ONNX Runtime sees them: one tensor for each input and output, bound to a session.</summary>
internal sealed class BatchView : IDisposable
{
    private readonly RowSlab _slab;
    private readonly int _first;
    private readonly OrtValue[] _inputs;
    private OrtValue[] _outputs = [];
    private OrtIoBinding? _binding;

    public BatchView(RowSlab slab, int first, int rows)
    {
        _slab = slab;
        _first = first;
        Rows = rows;
        var layout = slab.Layout;
        _inputs = new OrtValue[layout.InputBytes.Length];
        for (var i = 0; i < _inputs.Length; i++)
        {
            _inputs[i] = OrtValue.CreateTensorValueWithData(
                slab.InputMemory(i).Info, ElementTypes.ToOnnx(layout.Signature.Inputs[i].ElementType), layout.InputShape(i, rows), slab.InputAddress(i, first), layout.InputBytes[i] * rows);
        }
    }

    public RowLayout Layout => _slab.Layout;

    public int Rows { get; }

    /// <summary>How many rows such a view could have.</summary>
    public int MostRows => _slab.Slots.Length;

    /// <summary>Whether its slab keeps it.</summary>
    public bool IsKept { get; init; }

    public OrtValue[] Inputs => _inputs;

    /// <summary>Tensors over the rows' outputs; only where the signature fixes their shapes.</summary>
    public OrtValue[] Outputs
    {
        get
        {
            if (_outputs.Length == 0) _outputs = CreateOutputs();
            return _outputs;
        }
    }

    /// <summary>Inputs and outputs bound by name; made at the first call.</summary>
    public OrtIoBinding Bind(InferenceSession session) => _binding ??= CreateBinding(session);

    public void Dispose()
    {
        _binding?.Dispose();
        foreach (var input in _inputs) input.Dispose();
        foreach (var output in _outputs) output.Dispose();
    }

    private OrtValue[] CreateOutputs()
    {
        var layout = _slab.Layout;
        var outputs = new OrtValue[layout.OutputBytes.Length];
        for (var i = 0; i < outputs.Length; i++)
        {
            outputs[i] = OrtValue.CreateTensorValueWithData(
                _slab.OutputMemory(i).Info, ElementTypes.ToOnnx(layout.Signature.Outputs[i].ElementType), layout.OutputShape(i, Rows), _slab.OutputAddress(i, _first), layout.OutputBytes[i] * Rows);
        }

        return outputs;
    }

    private OrtIoBinding CreateBinding(InferenceSession session)
    {
        var signature = _slab.Layout.Signature;
        var binding = session.CreateIoBinding();
        for (var i = 0; i < _inputs.Length; i++) binding.BindInput(signature.Inputs[i].Name, _inputs[i]);
        for (var i = 0; i < Outputs.Length; i++) binding.BindOutput(signature.Outputs[i].Name, Outputs[i]);
        return binding;
    }
}
