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

    public override IReadOnlyList<TensorInfo> Outputs => signature.Outputs;

    /// <summary>Points this slice at its rows of an executed batch.</summary>
    public void Bind(BatchOutputs batch, int first, int rows)
    {
        (_batch, _place, _first, _rows) = (batch, default, first, rows);
        for (var i = 0; i < _shapes.Length; i++) SetShape(i, batch.Shape(i));
    }

    /// <summary>Points this slice at the row's own slots, which the execution has filled.</summary>
    public void Bind(in RowPlace place)
    {
        (_batch, _place, _rows) = (null, place, place.Rows);
        for (var i = 0; i < _shapes.Length; i++) SetShape(i, place.Slab.Layout.OutputShape(i));
    }

    public void Unbind()
    {
        _batch = null;
        _place = default;
    }

    public override ReadOnlySpan<long> Shape(string name)
    {
        var index = IndexOf(name);
        return _shapes[index].AsSpan(0, _ranks[index]);
    }

    public override ReadOnlySpan<byte> Bytes(string name)
    {
        var index = IndexOf(name);
        if (signature.Outputs[index].ElementType == TensorElement.String)
        {
            throw new InvalidOperationException($"The model's output '{name}' is of strings: read it with Strings.");
        }

        return _place.Slab is { } slab ? slab.Output(index, _place.First, _place.Rows) : Batch.Bytes(index, _first, _rows);
    }

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
        var skip = signature.Batching == RowBatching.None || _rows > 1 ? 0 : 1;
        _ranks[output] = whole.Length - skip;
        if (_shapes[output].Length < _ranks[output]) _shapes[output] = new long[_ranks[output]];
        whole[skip..].CopyTo(_shapes[output]);
        if (_rows > 1) _shapes[output][0] = _rows;
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
