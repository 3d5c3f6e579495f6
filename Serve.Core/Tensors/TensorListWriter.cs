using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Serve.Core.Handlers;

namespace Serve.Core.Tensors;

/// <summary>
/// Writes a list of tensors, the body of an answer to a tensor request (docs/worker-protocol.md): first each tensor is
/// declared, then the bytes of each are written, in the same order, straight to their place.
/// </summary>
public ref struct TensorListWriter
{
    /// <summary>The media type of such a list.</summary>
    public const string ContentType = "application/vnd.serve.tensors";

    private readonly IBufferWriter<byte> _target;
    private int _undeclared;
    private long _unwritten;

    /// <summary>Begins a list.</summary>
    /// <param name="target">Where it is written.</param>
    /// <param name="count">How many tensors it has.</param>
    public TensorListWriter(IBufferWriter<byte> target, int count)
    {
        _target = target;
        _undeclared = count;
        BinaryPrimitives.WriteInt32LittleEndian(target.GetSpan(sizeof(int)), count);
        target.Advance(sizeof(int));
    }

    /// <summary>Declares the next tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="element">Its element type.</param>
    /// <param name="shape">Its dimensions, the batch dimension included.</param>
    /// <param name="bytes">The bytes of its elements; <see cref="BytesElements"/> for strings.</param>
    public void Declare(string name, TensorElement element, scoped ReadOnlySpan<long> shape, long bytes)
    {
        if (_undeclared-- == 0) throw new InvalidOperationException("More tensors are declared than the list has.");
        var head = _target.GetSpan(2 + Encoding.UTF8.GetMaxByteCount(name.Length) + 2 + TensorText.MostBytes + 8);
        var nameBytes = Encoding.UTF8.GetBytes(name, head[2..]);
        BinaryPrimitives.WriteUInt16LittleEndian(head, checked((ushort)nameBytes));
        var at = 2 + nameBytes;
        var textBytes = TensorText.Write(head[(at + 2)..], element, shape);
        BinaryPrimitives.WriteUInt16LittleEndian(head[at..], (ushort)textBytes);
        at += 2 + textBytes;
        BinaryPrimitives.WriteInt64LittleEndian(head[at..], bytes);
        _target.Advance(at + 8);
        _unwritten = checked(_unwritten + bytes);
    }

    /// <summary>Writes the next bytes of what was declared.</summary>
    /// <param name="bytes">All or some bytes of the next tensor.</param>
    public void Write(scoped ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return;
        bytes.CopyTo(Reserve(bytes.Length));
    }

    /// <summary>Room for the next bytes of what was declared, which the caller fills at once.</summary>
    /// <param name="bytes">How many.</param>
    public Span<byte> Reserve(int bytes)
    {
        if (_undeclared > 0) throw new InvalidOperationException($"{_undeclared} tensors of the list are not declared.");
        if (bytes > _unwritten) throw new InvalidOperationException($"{bytes} bytes are written where {_unwritten} were declared.");
        _unwritten -= bytes;
        var memory = _target.GetSpan(bytes)[..bytes];
        _target.Advance(bytes);
        return memory;
    }

    /// <summary>Checks that all that was declared is written.</summary>
    public readonly void Complete()
    {
        if (_undeclared > 0 || _unwritten > 0) throw new InvalidOperationException($"{_undeclared} tensors are not declared, and {_unwritten} bytes not written.");
    }
}
