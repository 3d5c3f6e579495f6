using Serve.Core.Errors;
using Serve.Core.Handlers;

namespace Serve.Worker.Execution;

/// <summary>The inputs of one request, written by a handler on a decode thread, read by the device thread that gathers them.</summary>
internal sealed class RowInputs : InputRow, IDisposable
{
    private readonly TensorSlot[] _slots;
    private readonly RowBatching _batching;
    private readonly int _maxRows;
    private readonly SlabPools? _slabs;
    private RowPlace _place;

    public RowInputs(ModelSignature signature, int maxRows, SlabPools? slabs)
    {
        _slots = [.. signature.Inputs.Select(input => new TensorSlot(input))];
        _batching = signature.Batching;
        _maxRows = maxRows;
        _slabs = slabs;
    }

    /// <summary>Whether the inputs lie in slots of a slab, all of them.</summary>
    public bool IsPlaced { get; private set; }

    /// <summary>Those slots.</summary>
    public RowPlace Place => _place;

    /// <summary>The batch of the row has begun. Under the lock of its slab's pool.</summary>
    public bool HasBegun { get; set; }

    /// <summary>The model's inputs, in its order.</summary>
    public ReadOnlySpan<TensorSlot> Slots => _slots;

    public long CapacityBytes
    {
        get
        {
            long total = 0;
            foreach (var slot in _slots) total += slot.CapacityBytes;
            return total;
        }
    }

    /// <summary>
    /// The tensors are a batch of their own, as they are: the request runs alone. Set before the first of them is written.
    /// </summary>
    public bool IsWhole { get; set; }

    private bool ShapesHaveAllDimensions => Rows > 1 || _batching == RowBatching.None;

    public override Span<byte> Allocate(string name, params ReadOnlySpan<long> shape)
    {
        var slot = Find(name);
        if (slot.Info.ElementType == TensorElement.String)
        {
            throw new InvalidOperationException($"The model's input '{name}' is of strings: write it with SetStrings.");
        }

        CheckRows();
        slot.SetShape(Rows, shape, ShapesHaveAllDimensions);
        CheckBatchDimension(slot);
        return MemoryOf(slot);
    }

    /// <summary>Takes an input as a request has it: its shape has all dimensions, its bytes are as many as that takes.</summary>
    /// <exception cref="BadRequestException">The model takes another shape, or the input would be too large.</exception>
    public void Take(TensorSlot slot, ReadOnlySpan<long> shape, ReadOnlyMemory<byte> data)
    {
        CheckRows();
        slot.SetShape(Rows, shape, shapeHasAllDimensions: true);
        if (!IsWhole) CheckBatchDimension(slot);
        if (slot.Info.ElementType == TensorElement.String) slot.UsePacked(data);
        else data.Span.CopyTo(MemoryOf(slot));
    }

    public override void SetStrings(string name, IReadOnlyList<string> values, params ReadOnlySpan<long> shape)
    {
        ArgumentNullException.ThrowIfNull(values);
        var slot = Find(name);
        if (slot.Info.ElementType != TensorElement.String)
        {
            throw new InvalidOperationException($"The model's input '{name}' is of {slot.Info.ElementType}, not of strings: write it with Allocate.");
        }

        CheckRows();
        slot.SetStrings(Rows, values, shape, ShapesHaveAllDimensions);
        CheckBatchDimension(slot);
    }

    /// <exception cref="BadRequestException">The model has no such input.</exception>
    public TensorSlot Find(string name)
    {
        foreach (var slot in _slots)
        {
            if (slot.Info.Name == name) return slot;
        }

        throw new BadRequestException($"The model has no input '{name}'; its inputs are {string.Join(", ", _slots.Select(slot => $"'{slot.Info.Name}'"))}.");
    }

    /// <summary>Called when the handler has written the row.</summary>
    /// <exception cref="InternalServerException">The handler left an input out, or changed <see cref="InputRow.Rows"/> in between.</exception>
    public void Complete()
    {
        CheckRows();
        foreach (var slot in _slots)
        {
            if (!slot.IsSet) throw new InternalServerException($"The handler did not write the model's input '{slot.Info.Name}'.");
            if (!IsWhole) CheckBatchDimension(slot);
        }
    }

    /// <summary>The inputs were copied to other slots.</summary>
    public void MoveTo(in RowPlace place)
    {
        _place = place;
        for (var i = 0; i < _slots.Length; i++) _slots[i].MoveTo(place.Slab.InputAddress(i, place.First));
    }

    /// <summary>Makes the row ready for another request.</summary>
    public void Clear()
    {
        LeaveSlab();
        Rows = 1;
        IsWhole = false;
        foreach (var slot in _slots) slot.Clear();
    }

    private Span<byte> MemoryOf(TensorSlot slot) =>
        !IsWhole && HasSlotsFor(slot) ? slot.UseSlab(_place.Slab.InputAddress(Array.IndexOf(_slots, slot), _place.First)) : slot.UseOwnMemory();

    // Gives the row its slots when it writes its first input. A handler that writes again, with other rows or another shape,
    // has the row in memory of its own from then on.
    private bool HasSlotsFor(TensorSlot slot)
    {
        if (!IsPlaced)
        {
            if (_slabs is null || AnyIsSet() || _slabs.TryTake(Rows, slot.Shape) is not { } place) return false;
            _place = place;
            IsPlaced = true;
            return true;
        }

        if (_place.Rows == Rows && (_slots.Length > 1 || _place.Slab.Layout.IsOfOnlyInput(slot.Shape))) return true;
        foreach (var other in _slots)
        {
            if (other != slot && other.IsSet) other.CopyToOwnMemory();
        }

        LeaveSlab();
        return false;
    }

    private bool AnyIsSet()
    {
        foreach (var slot in _slots)
        {
            if (slot.IsSet) return true;
        }

        return false;
    }

    private void LeaveSlab()
    {
        if (!IsPlaced) return;
        _place.Slab.Pool.Release(_place, HasBegun);
        _place = default;
        IsPlaced = HasBegun = false;
    }

    private void CheckRows()
    {
        var most = _batching == RowBatching.Dynamic ? _maxRows : 1;
        if (Rows >= 1 && Rows <= most) return;

        var why = _batching == RowBatching.Dynamic ? $"batchSize is {_maxRows}" : "the model's batch dimension is not dynamic";
        throw new BadRequestException($"A request of this model can have 1 to {most} rows, because {why}; this one has {Rows}.");
    }

    private void CheckBatchDimension(TensorSlot slot)
    {
        if (_batching != RowBatching.None && slot.Shape[0] != Rows)
        {
            throw new BadRequestException($"The input '{slot.Info.Name}' of shape {ShapeText.Of(slot.Shape)} must have {Rows} rows.");
        }
    }

    public void Dispose()
    {
        LeaveSlab();
        foreach (var slot in _slots) slot.Dispose();
    }
}
