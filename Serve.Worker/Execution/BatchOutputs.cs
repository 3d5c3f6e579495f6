using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>The outputs of one executed batch, in ONNX Runtime's own memory, until they are disposed of.</summary>
internal sealed class BatchOutputs : IDisposable
{
    private readonly RowBatching _batching;
    private readonly IDisposableReadOnlyCollection<OrtValue> _values;
    private readonly long[][] _shapes;
    private readonly int _rows;

    /// <param name="signature">The model's.</param>
    /// <param name="values">Its outputs.</param>
    /// <param name="rows">The batch's rows.</param>
    /// <param name="isWhole">Whether the outputs are one request's as they are.</param>
    /// <exception cref="UnbatchableOutputException">An output does not have as many rows as the batch.</exception>
    public BatchOutputs(ModelSignature signature, IDisposableReadOnlyCollection<OrtValue> values, int rows, bool isWhole = false)
    {
        _batching = isWhole ? RowBatching.None : signature.Batching;
        _values = values;
        _rows = rows;
        _shapes = [.. values.Select(value => value.GetTensorTypeAndShape().Shape)];
        if (!HasRows) return;

        for (var i = 0; i < _shapes.Length; i++)
        {
            if (_shapes[i].Length > 0 && _shapes[i][0] == rows) continue;

            var shape = ShapeText.Of(_shapes[i]);
            values.Dispose();
            throw new UnbatchableOutputException($"The model's output '{signature.Outputs[i].Name}' has the shape {shape} for a batch of {rows}: its first dimension is not the batch.");
        }
    }

    /// <summary>Whether the first dimension of each output is the batch's rows.</summary>
    public bool HasRows => _batching != RowBatching.None;

    public ReadOnlySpan<long> Shape(int output) => _shapes[output];

    public ReadOnlySpan<byte> Bytes(int output, int firstRow, int rows)
    {
        var bytes = _values[output].GetTensorMutableRawData();
        if (!HasRows) return bytes;

        var rowBytes = bytes.Length / _rows;
        return bytes.Slice(firstRow * rowBytes, rows * rowBytes);
    }

    public string[] Strings(int output, int firstRow, int rows)
    {
        var (start, count) = StringsOf(output, firstRow, rows);
        var strings = new string[count];
        for (var i = 0; i < count; i++) strings[i] = _values[output].GetStringElement(start + i);
        return strings;
    }

    /// <summary>Which of an output's strings, row-major, are those of rows.</summary>
    public (int First, int Count) StringsOf(int output, int firstRow, int rows)
    {
        var count = 1L;
        foreach (var dimension in _shapes[output]) count *= dimension;
        return HasRows ? ((int)(count / _rows) * firstRow, (int)(count / _rows * rows)) : (0, (int)count);
    }

    /// <summary>The bytes of a string.</summary>
    public ReadOnlySpan<byte> StringBytes(int output, int index) => _values[output].GetStringElementAsSpan(index);

    public void Dispose() => _values.Dispose();
}

/// <summary>500: the model's outputs do not keep the batch dimension, although its shapes allow one.</summary>
/// <param name="message">Which output, and its shape.</param>
internal sealed class UnbatchableOutputException(string message) : InternalServerException(message);
