using System.Buffers.Binary;
using System.Text;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>Reads a list of tensors that <see cref="TensorListWriter"/> wrote, without allocating. What does not fit is found before the first tensor is read.</summary>
public ref struct TensorListReader
{
    private readonly ReadOnlySpan<byte> _list;
    private int _head;
    private int _data;
    private int _left;

    /// <summary>Checks a list whole, and begins it.</summary>
    /// <param name="list">The body of an answer whose content type is <see cref="TensorListWriter.ContentType"/>.</param>
    /// <exception cref="FormatException">It is no such list.</exception>
    public TensorListReader(ReadOnlySpan<byte> list)
    {
        _list = list;
        if (list.Length < sizeof(int)) throw new FormatException($"A tensor list of {list.Length} bytes.");
        Count = _left = BinaryPrimitives.ReadInt32LittleEndian(list);
        _head = sizeof(int);
        if (Count < 0 || Count > list.Length / 12) throw new FormatException($"A tensor list of {list.Length} bytes says that it has {Count} tensors.");

        // Once through the heads: then it is known where the data begins, and reading cannot fail.
        var at = _head;
        long bytes = 0;
        Span<long> shape = stackalloc long[TensorShape.MostDimensions];
        for (var i = 0; i < Count; i++)
        {
            Field(list, ref at);
            if (!TensorText.TryRead(Field(list, ref at), out _, shape, out _)) throw new FormatException("A tensor list with a tensor without datatype and shape.");
            if (list.Length - at < 8) throw new FormatException("A tensor list that ends in a tensor's head.");
            var length = BinaryPrimitives.ReadInt64LittleEndian(list[at..]);
            at += 8;
            if (length < 0 || length > list.Length - bytes) throw new FormatException($"A tensor of {length} bytes in a list of {list.Length}.");
            bytes += length;
        }

        if (bytes != list.Length - at) throw new FormatException($"A tensor list with {list.Length - at} bytes of data says that it has {bytes}.");
        _data = at;
    }

    /// <summary>How many tensors there are.</summary>
    public int Count { get; }

    /// <summary>Reads the next tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <returns>False: that was the last.</returns>
    public bool TryRead(out ListedTensor tensor)
    {
        tensor = default;
        if (_left == 0) return false;
        _left--;
        var name = Field(_list, ref _head);
        var text = Field(_list, ref _head);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(_list[_head..]);
        _head += 8;
        tensor = new ListedTensor(name, text, _list.Slice(_data, length), _data);
        _data += length;
        return true;
    }

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> list, scoped ref int at)
    {
        if (list.Length - at < 2) throw new FormatException("A tensor list that ends in a tensor's head.");
        var length = BinaryPrimitives.ReadUInt16LittleEndian(list[at..]);
        at += 2;
        if (list.Length - at < length) throw new FormatException("A tensor list that ends in a tensor's head.");
        at += length;
        return list.Slice(at - length, length);
    }
}

/// <summary>A tensor of a <see cref="TensorListReader"/>.</summary>
public readonly ref struct ListedTensor
{
    private readonly ReadOnlySpan<byte> _text;

    internal ListedTensor(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text, ReadOnlySpan<byte> data, int offset)
    {
        NameUtf8 = name;
        _text = text;
        Data = data;
        Offset = offset;
        Span<long> shape = stackalloc long[TensorShape.MostDimensions];
        TensorText.TryRead(text, out var element, shape, out var rank);
        (ElementType, Rank) = (element, rank);
    }

    /// <summary>Its name, in UTF-8.</summary>
    public ReadOnlySpan<byte> NameUtf8 { get; }

    /// <summary>Its name.</summary>
    public string Name => Encoding.UTF8.GetString(NameUtf8);

    /// <summary>Its element type.</summary>
    public TensorElement ElementType { get; }

    /// <summary>How many dimensions it has.</summary>
    public int Rank { get; }

    /// <summary>Its elements: row-major, little-endian; strings as <see cref="BytesElements"/>.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>Where <see cref="Data"/> begins in the list.</summary>
    public int Offset { get; }

    /// <summary>Its dimensions.</summary>
    /// <param name="shape">At least <see cref="Rank"/> of them.</param>
    /// <returns>The part of <paramref name="shape"/> that has them.</returns>
    public Span<long> ReadShape(Span<long> shape)
    {
        Span<long> all = stackalloc long[TensorShape.MostDimensions];
        TensorText.TryRead(_text, out _, all, out var rank);
        all[..rank].CopyTo(shape);
        return shape[..rank];
    }

    /// <summary>Its dimensions.</summary>
    public long[] Shape => ReadShape(new long[Rank]).ToArray();
}
