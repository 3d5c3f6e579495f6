using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Serve.Core.Protocol;

/// <summary>The body of Begun and Returned: a count and that many request ids.</summary>
public static class IdListFrame
{
    /// <summary>The ids in a body.</summary>
    /// <param name="body">The frame's body.</param>
    /// <exception cref="ProtocolException">The count does not fit the body.</exception>
    public static ReadOnlySpan<ulong> Parse(ReadOnlySpan<byte> body)
    {
        var fields = new SpanFields(body);
        var count = fields.UInt32();
        if (count > (uint)fields.Rest.Length / sizeof(ulong)) throw new ProtocolException($"A list of {count} ids in {fields.Rest.Length} bytes.");

        // Little-endian hosts only, as .NET itself on all platforms that ONNX Runtime supports.
        return MemoryMarshal.Cast<byte, ulong>(fields.Rest[..((int)count * sizeof(ulong))]);
    }

    /// <summary>Puts the frame into a sender's buffer.</summary>
    /// <param name="sender">The sender.</param>
    /// <param name="type">Begun or Returned.</param>
    /// <param name="id">The batch's number, or 0.</param>
    /// <param name="ids">The request ids.</param>
    public static void Enqueue(FrameSender sender, FrameType type, ulong id, ReadOnlySpan<ulong> ids)
    {
        Span<byte> count = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(count, (uint)ids.Length);
        sender.Enqueue(type, 0, id, count, MemoryMarshal.AsBytes(ids));
    }
}
