using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>The outputs of one executed batch, in ONNX Runtime's own memory, until they are disposed of.</summary>
internal sealed class BatchOutputs : IDisposable
{
    private readonly ModelSignature _signature;
    private readonly IDisposableReadOnlyCollection<OrtValue> _values;
    private readonly long[][] _shapes;
    private readonly int _rows;

    /// <exception cref="UnbatchableOutputException">An output does not have as many rows as the batch.</exception>
    public BatchOutputs(ModelSignature signature, IDisposableReadOnlyCollection<OrtValue> values, int rows)
    {
        _signature = signature;
        _values = values;
        _rows = rows;
        _shapes = [.. values.Select(value => value.GetTensorTypeAndShape().Shape)];
        if (signature.Batching == RowBatching.None) return;

        for (var i = 0; i < _shapes.Length; i++)
        {
            if (_shapes[i].Length > 0 && _shapes[i][0] == rows) continue;

            var shape = ShapeText.Of(_shapes[i]);
            values.Dispose();
            throw new UnbatchableOutputException($"The model's output '{signature.Outputs[i].Name}' has the shape {shape} for a batch of {rows}: its first dimension is not the batch.");
        }
    }

    public ReadOnlySpan<long> Shape(int output) => _shapes[output];

    public ReadOnlySpan<byte> Bytes(int output, int firstRow, int rows)
    {
        var bytes = _values[output].GetTensorMutableRawData();
        if (_signature.Batching == RowBatching.None) return bytes;

        var rowBytes = bytes.Length / _rows;
        return bytes.Slice(firstRow * rowBytes, rows * rowBytes);
    }

    public string[] Strings(int output, int firstRow, int rows)
    {
        var value = _values[output];
        var count = 1L;
        foreach (var dimension in _shapes[output]) count *= dimension;

        var start = 0;
        if (_signature.Batching != RowBatching.None)
        {
            start = (int)(count / _rows) * firstRow;
            count = count / _rows * rows;
        }

        var strings = new string[count];
        for (var i = 0; i < strings.Length; i++) strings[i] = value.GetStringElement(start + i);
        return strings;
    }

    public void Dispose() => _values.Dispose();
}

/// <summary>500: the model's outputs do not keep the batch dimension, although its shapes allow one.</summary>
/// <param name="message">Which output, and its shape.</param>
internal sealed class UnbatchableOutputException(string message) : InternalServerException(message);
