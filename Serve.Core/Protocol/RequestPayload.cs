using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Microsoft.Extensions.ObjectPool;
using Serve.Core.Handlers;
using Serve.Core.Memory;
using Serve.Core.Tensors;
using Serve.Core.Tracing;

namespace Serve.Core.Protocol;

/// <summary>
/// A request's headers, part table and body as they travel to a worker. The body is written once, as it arrives, into a
/// pooled buffer that lives until the request is answered, because a retry needs it; a large one into memory that workers
/// read, if there is room (<see cref="SharedBodies"/>). Counted references: the request holds one, each send under way
/// another; after the last <see cref="Release"/> buffers and object serve other requests.
/// </summary>
public sealed class RequestPayload : IBufferWriter<byte>
{
    // Headers and part table nearly always fit; what grew beyond is not kept.
    private const int KeptHeadBytes = 512;

    private static readonly ObjectPool<RequestPayload> Idle = new DefaultObjectPool<RequestPayload>(new Idling(), maximumRetained: 1024);

    private byte[] _body = [];
    private SharedBody? _shared;
    private byte[] _head = new byte[KeptHeadBytes];
    private int _bodyLength;
    private int _headLength;
    private int _references;

    private RequestPayload()
    {
    }

    /// <summary>The body so far.</summary>
    public ReadOnlyMemory<byte> Body => _shared is { } shared ? shared.Memory[.._bodyLength] : _body.AsMemory(0, _bodyLength);

    /// <summary>Where workers read the body; null: it lies in the frontend's own memory.</summary>
    internal SharedBody? Shared => _shared;

    /// <summary>Headers and part table as on the wire (docs/worker-protocol.md, Run).</summary>
    internal ReadOnlyMemory<byte> Head => _head.AsMemory(0, _headLength);

    /// <summary>Number of headers.</summary>
    internal ushort Headers { get; private set; }

    /// <summary>Number of parts.</summary>
    internal ushort Parts { get; private set; }

    /// <summary>Whether it is not a request for the model, but asks the handler what it has to say about itself.</summary>
    internal bool AsksHandler { get; private set; }

    /// <summary>
    /// Whether each part is a tensor for the model's input of that name, added by <see cref="AddTensor"/>: the request is for
    /// the model's tensors, not for its handler's format. Set before it is submitted, also for a model without inputs.
    /// </summary>
    public bool CarriesTensors { get; set; }

    /// <summary>By what the client knows the request, for the log; null: it has no id.</summary>
    public string? RequestId { get; set; }

    /// <summary>What is noted of the request on its way; null, as nearly always: it is not traced.</summary>
    public RequestTrace? Trace { get; set; }

    /// <summary>Where its time goes, noted for a client that asks; null: it does not.</summary>
    public RequestTimes? Times { get; set; }

    /// <summary>A payload whose body will be about that long; it grows as needed.</summary>
    /// <param name="bodyCapacity">Bytes, for example the request's Content-Length; 0 for none.</param>
    public static RequestPayload Rent(int bodyCapacity) => Rent(bodyCapacity, null);

    /// <summary>The same, where the version's workers read bodies may have room for it.</summary>
    /// <param name="bodyCapacity">Bytes; 0 for none.</param>
    /// <param name="shared">The room, the payload's from here on; null: there is none.</param>
    internal static RequestPayload Rent(int bodyCapacity, SharedBody? shared)
    {
        var payload = Idle.Get();
        payload._references = 1;
        payload._shared = shared;
        if (shared is null && bodyCapacity > 0) payload._body = ArrayPool<byte>.Shared.Rent(bodyCapacity);
        return payload;
    }

    /// <summary>A payload that asks the handler what it has to say about itself.</summary>
    internal static RequestPayload Description()
    {
        var payload = Rent(0);
        payload.AsksHandler = true;
        payload.AddPart("body", null, 0, 0);
        return payload;
    }

    /// <summary>Adds a header. All headers come before the first part.</summary>
    /// <param name="name">At most 65,535 bytes of UTF-8.</param>
    /// <param name="value">The value.</param>
    public void AddHeader(string name, ReadOnlySpan<char> value)
    {
        if (Parts > 0) throw new InvalidOperationException("Headers are added before parts.");
        var at = ReserveHead(6 + Encoding.UTF8.GetMaxByteCount(name.Length) + Encoding.UTF8.GetMaxByteCount(value.Length));
        var nameLength = Encoding.UTF8.GetBytes(name, _head.AsSpan(at + 2));
        BinaryPrimitives.WriteUInt16LittleEndian(_head.AsSpan(at), checked((ushort)nameLength));
        at += 2 + nameLength;
        var valueLength = Encoding.UTF8.GetBytes(value, _head.AsSpan(at + 4));
        BinaryPrimitives.WriteUInt32LittleEndian(_head.AsSpan(at), (uint)valueLength);
        _headLength = at + 4 + valueLength;
        Headers++;
    }

    /// <summary>Names a slice of the body as a part.</summary>
    /// <param name="name">The field's name; <c>body</c> for a raw body.</param>
    /// <param name="contentType">Its media type, or null.</param>
    /// <param name="offset">Where it begins in the body.</param>
    /// <param name="length">Its bytes.</param>
    public void AddPart(string name, string? contentType, int offset, int length)
    {
        contentType ??= "";
        var at = BeginPart(name, contentType.Length, offset, length);
        EndPart(at, Encoding.ASCII.GetBytes(contentType, _head.AsSpan(at + 2)), offset, length);
    }

    /// <summary>Names a slice of the body as the tensor of an input.</summary>
    /// <param name="name">The input's name.</param>
    /// <param name="element">Its element type.</param>
    /// <param name="shape">Its dimensions, the batch dimension included; at most <see cref="TensorShape.MostDimensions"/>.</param>
    /// <param name="offset">Where its elements begin in the body: row-major, little-endian; strings as <see cref="BytesElements"/>.</param>
    /// <param name="length">Their bytes.</param>
    public void AddTensor(string name, TensorElement element, ReadOnlySpan<long> shape, int offset, int length)
    {
        CarriesTensors = true;
        var at = BeginPart(name, TensorText.MostBytesOf(shape.Length), offset, length);
        EndPart(at, TensorText.Write(_head.AsSpan(at + 2), element, shape), offset, length);
    }

    /// <summary>Names an output that the answer is to have; without any, it has all. Before the first tensor.</summary>
    /// <param name="name">The output's name.</param>
    public void AddRequestedOutput(string name) => AddHeader(HandlerTensors.OutputHeader, name);

    /// <inheritdoc/>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, (_shared?.Memory.Length ?? _body.Length) - _bodyLength);
        _bodyLength += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        var more = Math.Max(sizeHint, 1);
        if (_shared is { } shared)
        {
            if (shared.Memory.Length - _bodyLength >= more) return shared.Memory[_bodyLength..];
            LeaveShared(shared, more); // it became longer than was announced
        }

        Grow(ref _body, _bodyLength, more, isPooled: _body.Length > 0);
        return _body.AsMemory(_bodyLength);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>One more holder.</summary>
    public void AddReference() => Interlocked.Increment(ref _references);

    /// <summary>One holder less; the last one returns the buffers.</summary>
    public void Release()
    {
        var left = Interlocked.Decrement(ref _references);
        if (left > 0) return;
        if (left < 0) throw new InvalidOperationException("A request's payload was released once too often.");
        if (_body.Length > 0) ArrayPool<byte>.Shared.Return(_body);
        _shared?.Release();
        _shared = null;
        if (_head.Length > KeptHeadBytes)
        {
            ArrayPool<byte>.Shared.Return(_head);
            _head = new byte[KeptHeadBytes];
        }

        _body = [];
        _bodyLength = _headLength = 0;
        Headers = Parts = 0;
        AsksHandler = CarriesTensors = false;
        RequestId = null;
        Trace = null;
        Times = null;
        Idle.Return(this);
    }

    /// <summary>Moves the body to the frontend's own memory: another version's workers are to have it.</summary>
    internal void LeaveShared()
    {
        if (_shared is { } shared) LeaveShared(shared, more: 0);
    }

    private void LeaveShared(SharedBody shared, int more)
    {
        var body = ArrayPool<byte>.Shared.Rent(checked(_bodyLength + more));
        shared.Memory.Span[.._bodyLength].CopyTo(body);
        _body = body;
        _shared = null;
        shared.Release();
    }

    /// <returns>Where the length of the type's text goes, and after it the text.</returns>
    private int BeginPart(string name, int typeRoom, int offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)offset + length, _bodyLength, nameof(length));
        var at = ReserveHead(12 + Encoding.UTF8.GetMaxByteCount(name.Length) + typeRoom);
        var nameLength = Encoding.UTF8.GetBytes(name, _head.AsSpan(at + 2));
        BinaryPrimitives.WriteUInt16LittleEndian(_head.AsSpan(at), checked((ushort)nameLength));
        return at + 2 + nameLength;
    }

    private void EndPart(int at, int typeLength, int offset, int length)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_head.AsSpan(at), checked((ushort)typeLength));
        at += 2 + typeLength;
        BinaryPrimitives.WriteUInt32LittleEndian(_head.AsSpan(at), (uint)offset);
        BinaryPrimitives.WriteUInt32LittleEndian(_head.AsSpan(at + 4), (uint)length);
        _headLength = at + 8;
        Parts++;
    }

    private int ReserveHead(int count)
    {
        Grow(ref _head, _headLength, count, isPooled: _head.Length > KeptHeadBytes);
        return _headLength;
    }

    private static void Grow(ref byte[] buffer, int used, int more, bool isPooled)
    {
        if (buffer.Length - used >= more) return;
        var larger = ArrayPool<byte>.Shared.Rent(checked((int)Math.Min(Math.Max((long)used + more, 2L * buffer.Length), Array.MaxLength)));
        buffer.AsSpan(0, used).CopyTo(larger);
        if (isPooled) ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }

    private sealed class Idling : IPooledObjectPolicy<RequestPayload>
    {
        public RequestPayload Create() => new();

        public bool Return(RequestPayload payload) => true;
    }
}
