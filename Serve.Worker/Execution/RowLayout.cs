using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>
/// What one row takes in memory: the bytes of each input, and of each output where the signature fixes them. Rows of one
/// layout can lie beside each other and be read by ONNX Runtime as one tensor.
/// </summary>
internal sealed class RowLayout
{
    private readonly long[][] _inputShapes;
    private readonly long[][] _outputShapes;

    private RowLayout(ModelSignature signature, long[][] inputShapes)
    {
        Signature = signature;
        _inputShapes = inputShapes;
        InputBytes = [.. signature.Inputs.Select((input, i) => BytesOf(inputShapes[i], input.ElementType))];
        _outputShapes = OutputShapesOf(signature);
        OutputBytes = [.. _outputShapes.Select((shape, i) => BytesOf(shape, signature.Outputs[i].ElementType))];
    }

    public ModelSignature Signature { get; }

    /// <summary>Bytes of one row, by input.</summary>
    public long[] InputBytes { get; }

    /// <summary>Bytes of one row, by output; empty where the model decides the shape of an output when it runs.</summary>
    public long[] OutputBytes { get; }

    public bool HasFixedOutputs => _outputShapes.Length > 0;

    /// <summary>The layout of a model whose rows are all alike; null when their shapes are the requests' to choose.</summary>
    public static RowLayout? OfFixed(ModelSignature signature)
    {
        var firstRowDimension = signature.Batching == RowBatching.None ? 0 : 1;
        var isFixed = signature.Inputs.Count > 0 && signature.Inputs.All(input => input.Shape.Skip(firstRowDimension).All(dimension => dimension >= 0));
        return isFixed ? Create(signature, [.. signature.Inputs.Select(input => OneRow(signature, [.. input.Shape]))]) : null;
    }

    /// <summary>The layout of rows with this shape, for a model with one input; null when such rows cannot share memory.</summary>
    /// <param name="signature">The model's.</param>
    /// <param name="shape">All dimensions of the input.</param>
    public static RowLayout? OfOnlyInput(ModelSignature signature, ReadOnlySpan<long> shape) =>
        signature.Inputs.Count == 1 ? Create(signature, [OneRow(signature, shape.ToArray())]) : null;

    /// <summary>Whether a row with this shape of the only input is of this layout.</summary>
    public bool IsOfOnlyInput(ReadOnlySpan<long> shape)
    {
        var skip = Signature.Batching == RowBatching.None ? 0 : 1;
        return _inputShapes[0].AsSpan(skip).SequenceEqual(shape[skip..]);
    }

    /// <summary>Bytes of one row: its inputs, and its outputs where their shapes are fixed.</summary>
    public long RowBytes => InputBytes.Sum() + OutputBytes.Sum();

    /// <summary>The shape of an input for so many rows.</summary>
    public long[] InputShape(int input, int rows) => ForRows(_inputShapes[input], rows);

    /// <summary>The shape of an output for so many rows.</summary>
    public long[] OutputShape(int output, int rows) => ForRows(_outputShapes[output], rows);

    /// <summary>The shape of an output for one row, the batch dimension included where there is one.</summary>
    public ReadOnlySpan<long> OutputShape(int output) => _outputShapes[output];

    private static RowLayout? Create(ModelSignature signature, long[][] inputShapes)
    {
        if (signature.Inputs.Any(input => input.ElementType == TensorElement.String)) return null;
        var layout = new RowLayout(signature, inputShapes);
        return layout.InputBytes.All(bytes => bytes > 0) ? layout : null;
    }

    private static long[] OneRow(ModelSignature signature, long[] shape)
    {
        if (signature.Batching != RowBatching.None) shape[0] = 1;
        return shape;
    }

    private static long[][] OutputShapesOf(ModelSignature signature)
    {
        var shapes = signature.Outputs.Select(output => OneRow(signature, [.. output.Shape])).ToArray();
        var isFixed = signature.Outputs.All(output => output.ElementType != TensorElement.String)
            && shapes.All(shape => shape.Length > 0 && shape.All(dimension => dimension > 0));
        return isFixed ? shapes : [];
    }

    private static long BytesOf(long[] shape, TensorElement element) => shape.Aggregate((long)element.SizeBytes(), static (bytes, dimension) => checked(bytes * dimension));

    private long[] ForRows(long[] shape, int rows)
    {
        long[] result = [.. shape];
        if (Signature.Batching == RowBatching.Dynamic) result[0] = rows;
        return result;
    }
}
