using Microsoft.ML.OnnxRuntime;
using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Worker.Execution;

/// <summary>
/// The input tensors of the batch that one device thread executes. Rows are gathered into memory that is reused from batch
/// to batch; a batch of one row is read where the row lies.
/// </summary>
internal sealed class BatchInputs(ModelSignature signature) : IDisposable
{
    // One burst of large rows does not keep its memory for ever: a buffer of which so many batches in turn needed less than a
    // quarter is let go. Small ones stay.
    private const int MostUnderused = 100;
    private const int AlwaysKeptBytes = 16 << 20;

    private readonly NativeBuffer[] _buffers = [.. signature.Inputs.Select(_ => new NativeBuffer())];
    private readonly int[] _underused = new int[signature.Inputs.Count];
    private readonly OrtValue?[] _values = new OrtValue?[signature.Inputs.Count];

    /// <summary>Bytes that are kept for later batches.</summary>
    public long CapacityBytes => _buffers.Sum(static buffer => (long)buffer.CapacityBytes);

    /// <summary>The tensors; valid until the next call, as long as the rows are not cleared.</summary>
    /// <param name="rows">At least one; all of one shape class.</param>
    /// <param name="totalRows">The rows that the requests fill together.</param>
    /// <param name="size">The rows that are executed; what is missing to it is filled with the last one again, which the model takes as it takes that.</param>
    public IReadOnlyList<OrtValue> Gather(ReadOnlySpan<BatchRow> rows, int totalRows, int size)
    {
        Release();
        for (var i = 0; i < _values.Length; i++)
        {
            var shape = rows[0].Inputs.Slots[i].Shape.ToArray();
            if (signature.Batching == RowBatching.Dynamic && !rows[0].Inputs.IsWhole) shape[0] = size;
            _values[i] = signature.Inputs[i].ElementType == TensorElement.String ? GatherStrings(i, rows, shape) : GatherBytes(i, rows, totalRows, size, shape);
        }

        return _values!;
    }

    private OrtValue GatherBytes(int input, ReadOnlySpan<BatchRow> rows, int totalRows, int size, long[] shape)
    {
        var first = rows[0].Inputs.Slots[input];
        var element = ElementTypes.ToOnnx(first.Info.ElementType);
        if (rows.Length == 1 && size == totalRows)
        {
            Shrink(input, 0);
            return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, element, shape, first.Address, first.ByteLength);
        }

        long bytes = 0;
        foreach (var row in rows) bytes += row.Inputs.Slots[input].ByteLength;

        var rowBytes = (int)(bytes / totalRows);
        bytes += (long)rowBytes * (size - totalRows);
        if (bytes > Array.MaxLength) throw new InvalidModelException($"The input '{first.Info.Name}' takes {bytes >> 20} MiB for a batch of {size} rows, and at most {Array.MaxLength >> 20} MiB are put together; the largest batchSize is {Array.MaxLength / rowBytes}.");
        Shrink(input, bytes);
        var memory = _buffers[input].Reserve((int)bytes);
        var offset = 0;
        foreach (var row in rows)
        {
            var source = row.Inputs.Slots[input].Bytes;
            source.CopyTo(memory[offset..]);
            offset += source.Length;
        }

        for (; offset < memory.Length; offset += rowBytes) memory.Slice(offset - rowBytes, rowBytes).CopyTo(memory[offset..]);
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, element, shape, _buffers[input].Address, bytes);
    }

    private void Shrink(int input, long bytes)
    {
        var capacity = _buffers[input].CapacityBytes;
        if (capacity <= AlwaysKeptBytes || bytes >= capacity / 4) _underused[input] = 0;
        else if (++_underused[input] > MostUnderused) _buffers[input].Dispose();
    }

    private static OrtValue GatherStrings(int input, ReadOnlySpan<BatchRow> rows, long[] shape)
    {
        var value = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
        var index = 0;
        foreach (var row in rows) SetStrings(value, row.Inputs.Slots[input], ref index, int.MaxValue);

        var count = shape.Aggregate(1L, static (all, dimension) => all * dimension);
        while (index < count) SetStrings(value, rows[^1].Inputs.Slots[input], ref index, (int)count);
        return value;
    }

    private static void SetStrings(OrtValue value, TensorSlot slot, ref int index, int end)
    {
        if (slot.IsPacked)
        {
            var rest = slot.Packed;
            while (index < end && BytesElements.TryTake(ref rest, out var element)) value.StringTensorSetElementAt(element, index++);
            return;
        }

        foreach (var text in slot.Strings)
        {
            if (index == end) return;
            value.StringTensorSetElementAt(text.AsSpan(), index++);
        }
    }

    /// <summary>Lets go of the tensors, not of the memory.</summary>
    public void Release()
    {
        for (var i = 0; i < _values.Length; i++)
        {
            _values[i]?.Dispose();
            _values[i] = null;
        }
    }

    public void Dispose()
    {
        Release();
        foreach (var buffer in _buffers) buffer.Dispose();
    }
}
