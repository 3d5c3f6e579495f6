using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>One request's slice of a batch's outputs.</summary>
internal sealed class RowOutputs(ModelSignature signature) : OutputRow
{
    private readonly long[][] _shapes = [.. signature.Outputs.Select(_ => Array.Empty<long>())];
    private readonly int[] _ranks = new int[signature.Outputs.Count];
    private BatchOutputs? _batch;
    private int _first;
    private int _rows;

    public override IReadOnlyList<TensorInfo> Outputs => signature.Outputs;

    /// <summary>Points this slice at its rows of an executed batch.</summary>
    public void Bind(BatchOutputs batch, int first, int rows)
    {
        _batch = batch;
        _first = first;
        _rows = rows;
        for (var i = 0; i < _shapes.Length; i++)
        {
            var whole = batch.Shape(i);
            var skip = signature.Batching == RowBatching.None || rows > 1 ? 0 : 1;
            _ranks[i] = whole.Length - skip;
            if (_shapes[i].Length < _ranks[i]) _shapes[i] = new long[_ranks[i]];
            whole[skip..].CopyTo(_shapes[i]);
            if (rows > 1) _shapes[i][0] = rows;
        }
    }

    public void Unbind() => _batch = null;

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

        return Batch.Bytes(index, _first, _rows);
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

    private int IndexOf(string name)
    {
        for (var i = 0; i < signature.Outputs.Count; i++)
        {
            if (signature.Outputs[i].Name == name) return i;
        }

        throw new InvalidOperationException($"The model has no output '{name}'; its outputs are {string.Join(", ", signature.Outputs.Select(output => $"'{output.Name}'"))}.");
    }
}
