using Serve.Core.Errors;
using Serve.Core.Handlers;
using Serve.Core.Tensors;

namespace Serve.Worker.Execution;

/// <summary>One input of one row: its shape and its elements, in the row's slot of a slab or in memory of its own that is reused for later requests.</summary>
internal sealed class TensorSlot(TensorInfo info) : IDisposable
{
    /// <summary>More than this in one input of one request is a mistake or an attack, and spans end at 2 GiB.</summary>
    public const long MaxInputBytes = 1L << 30;

    private readonly NativeBuffer _memory = new();
    private readonly long[] _shape = new long[info.Shape.Count];
    private string[] _strings = [];
    private ReadOnlyMemory<byte> _packed;
    private long _elements;
    private nint _address;

    public TensorInfo Info { get; } = info;

    /// <summary>Whether the handler has given this input for the current request.</summary>
    public bool IsSet { get; private set; }

    /// <summary>All dimensions, the batch dimension included where the model has one.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    public int ByteLength => (int)(_elements * Info.ElementType.SizeBytes());

    /// <summary>Bytes that are kept for later requests.</summary>
    public long CapacityBytes => _memory.CapacityBytes + ((long)IntPtr.Size * _strings.Length);

    public nint Address => _address;

    public unsafe ReadOnlySpan<byte> Bytes => new((void*)_address, ByteLength);

    public ReadOnlySpan<string> Strings => _strings.AsSpan(0, (int)_elements);

    /// <summary>Whether the strings are those of <see cref="Packed"/>.</summary>
    public bool IsPacked { get; private set; }

    /// <summary>Strings where the request has them, each with its length (<see cref="BytesElements"/>).</summary>
    public ReadOnlySpan<byte> Packed => _packed.Span;

    public void Clear()
    {
        IsSet = false;
        if (Info.ElementType == TensorElement.String && !IsPacked) _strings.AsSpan(0, (int)Math.Min(_elements, _strings.Length)).Clear();
        _packed = default;
        IsPacked = false;
        _elements = 0;
    }

    /// <summary>The elements will lie here: this input's part of the row's slots.</summary>
    public unsafe Span<byte> UseSlab(nint address)
    {
        _address = address;
        IsSet = true;
        return new Span<byte>((void*)address, ByteLength);
    }

    /// <summary>The elements will lie in memory of this object's own.</summary>
    public Span<byte> UseOwnMemory()
    {
        var memory = _memory.Reserve(ByteLength);
        _address = _memory.Address;
        IsSet = true;
        return memory;
    }

    /// <summary>Takes the elements out of the row's slots.</summary>
    public void CopyToOwnMemory()
    {
        var elements = Bytes;
        elements.CopyTo(UseOwnMemory());
    }

    /// <summary>The elements were copied to other slots.</summary>
    public void MoveTo(nint address) => _address = address;

    public void SetStrings(long rows, IReadOnlyList<string> values, ReadOnlySpan<long> shape, bool shapeHasAllDimensions)
    {
        SetShape(rows, shape, shapeHasAllDimensions);
        if (values.Count != _elements)
        {
            throw new BadRequestException($"The input '{Info.Name}' of shape {ShapeText.Of(_shape)} takes {_elements} strings; there are {values.Count}.");
        }

        _packed = default;
        IsPacked = false;
        if (_strings.Length < values.Count) _strings = new string[values.Count];
        for (var i = 0; i < values.Count; i++) _strings[i] = values[i];
        IsSet = true;
    }

    /// <summary>The strings stay where they are until the request is answered. The shape is set, and they are as many.</summary>
    public void UsePacked(ReadOnlyMemory<byte> strings)
    {
        _packed = strings;
        IsPacked = IsSet = true;
    }

    /// <summary>Sets the shape, without memory for it.</summary>
    /// <exception cref="BadRequestException">The model takes another, or the input would be too large.</exception>
    public void SetShape(long rows, ReadOnlySpan<long> shape, bool shapeHasAllDimensions)
    {
        var offset = shapeHasAllDimensions ? 0 : 1;
        if (shape.Length + offset != _shape.Length) throw Misfit(shape, shapeHasAllDimensions);

        long elements = 1;
        if (!shapeHasAllDimensions) _shape[0] = rows;
        for (var i = 0; i < shape.Length; i++)
        {
            var fixedTo = Info.Shape[i + offset];
            if (shape[i] < 0 || (fixedTo >= 0 && fixedTo != shape[i])) throw Misfit(shape, shapeHasAllDimensions);
            _shape[i + offset] = shape[i];
        }

        var largest = MaxInputBytes / Math.Max(1, Info.ElementType.SizeBytes());
        foreach (var dimension in _shape)
        {
            // Division first: the product of strangers' numbers may not overflow.
            if (dimension != 0 && elements > largest / dimension)
            {
                throw new BadRequestException($"The input '{Info.Name}' of shape {ShapeText.Of(_shape)} is larger than {MaxInputBytes >> 20} MiB.");
            }

            elements *= dimension;
        }

        _elements = elements;
    }

    private BadRequestException Misfit(ReadOnlySpan<long> shape, bool shapeHasAllDimensions)
    {
        long[] wanted = [.. Info.Shape.Skip(shapeHasAllDimensions ? 0 : 1)];
        return new BadRequestException(
            $"The model's input '{Info.Name}' takes the shape {ShapeText.Of(wanted)}{(shapeHasAllDimensions ? "" : " a row")}; the request has {ShapeText.Of(shape)}.");
    }

    public void Dispose() => _memory.Dispose();
}
