using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>One request's slice of a batch's outputs: in its own slots, or in what ONNX Runtime allocated for the batch.</summary>
internal sealed class RowOutputs(ModelSignature signature) : OutputRow
{
    private readonly long[][] _shapes = [.. signature.Outputs.Select(_ => Array.Empty<long>())];
    private readonly int[] _ranks = new int[signature.Outputs.Count];
    private BatchOutputs? _batch;
    private RowPlace _place;
    private int _first;
    private int _rows;
    private bool _hasRows;

    public override IReadOnlyList<TensorInfo> Outputs => signature.Outputs;

    /// <summary>Points this slice at its rows of an executed batch.</summary>
    public void Bind(BatchOutputs batch, int first, int rows)
    {
        (_batch, _place, _first, _rows, _hasRows) = (batch, default, first, rows, batch.HasRows);
        for (var i = 0; i < _shapes.Length; i++) SetShape(i, batch.Shape(i));
    }

    /// <summary>Points this slice at the row's own slots, which the execution has filled.</summary>
    public void Bind(in RowPlace place)
    {
        (_batch, _place, _rows, _hasRows) = (null, place, place.Rows, signature.Batching != RowBatching.None);
        for (var i = 0; i < _shapes.Length; i++) SetShape(i, place.Slab.Layout.OutputShape(i));
    }

    public void Unbind()
    {
        _batch = null;
        _place = default;
    }

    public override ReadOnlySpan<long> Shape(string name) => WholeShape(IndexOf(name))[(_hasRows && _rows == 1 ? 1 : 0)..];

    /// <summary>The dimensions of an output for this request, the batch dimension included where there is one.</summary>
    public ReadOnlySpan<long> WholeShape(int output) => _shapes[output].AsSpan(0, _ranks[output]);

    public override ReadOnlySpan<byte> Bytes(string name)
    {
        var index = IndexOf(name);
        if (signature.Outputs[index].ElementType == TensorElement.String)
        {
            throw new InvalidOperationException($"The model's output '{name}' is of strings: read it with Strings.");
        }

        return Bytes(index);
    }

    /// <summary>The bytes of an output that is not of strings.</summary>
    public ReadOnlySpan<byte> Bytes(int output) => _place.Slab is { } slab ? slab.Output(output, _place.First, _place.Rows) : Batch.Bytes(output, _first, _rows);

    /// <summary>How many strings an output has for this request.</summary>
    public int CountStrings(int output) => Batch.StringsOf(output, _first, _rows).Count;

    /// <summary>The bytes of a string of an output for this request.</summary>
    public ReadOnlySpan<byte> StringBytes(int output, int index) => Batch.StringBytes(output, Batch.StringsOf(output, _first, _rows).First + index);

    public override IReadOnlyList<string> Strings(string name)
    {
        var index = IndexOf(name);
        if (signature.Outputs[index].ElementType != TensorElement.String)
        {
            throw new InvalidOperationException($"The model's output '{name}' is of {signature.Outputs[index].ElementType}, not of strings: read it with Bytes or Elements.");
        }

        return Batch.Strings(index, _first, _rows);
    }

    private BatchOutputs Batch => _batch ?? throw new InvalidOperationException("A row's outputs can be read only during Postprocess.");

    private void SetShape(int output, ReadOnlySpan<long> whole)
    {
        _ranks[output] = whole.Length;
        if (_shapes[output].Length < whole.Length) _shapes[output] = new long[whole.Length];
        whole.CopyTo(_shapes[output]);
        if (_hasRows) _shapes[output][0] = _rows;
    }

    private int IndexOf(string name)
    {
        for (var i = 0; i < signature.Outputs.Count; i++)
        {
            if (signature.Outputs[i].Name == name) return i;
        }

        throw new InvalidOperationException($"The model has no output '{name}'; its outputs are {string.Join(", ", signature.Outputs.Select(output => $"'{output.Name}'"))}.");
    }
}
