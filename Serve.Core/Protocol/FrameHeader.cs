using System.Buffers.Binary;

namespace Serve.Core.Protocol;

/// <summary>What a frame is; docs/worker-protocol.md has the table.</summary>
public enum FrameType : byte
{
    /// <summary>Never sent.</summary>
    None = 0,

    /// <summary>Worker to frontend: who is there.</summary>
    Hello = 1,

    /// <summary>Frontend to worker: what to load.</summary>
    Load = 2,

    /// <summary>Worker to frontend: loaded and warm.</summary>
    Ready = 3,

    /// <summary>Worker to frontend: why not.</summary>
    LoadFailed = 4,

    /// <summary>Frontend to worker: a request.</summary>
    Run = 5,

    /// <summary>Worker to frontend: these requests begin to execute.</summary>
    Begun = 6,

    /// <summary>Worker to frontend: an answer or a part of one.</summary>
    Output = 7,

    /// <summary>Frontend to worker: nobody waits for this request any more.</summary>
    Cancel = 8,

    /// <summary>Frontend to worker: give back rows that have not begun.</summary>
    Recall = 9,

    /// <summary>Worker to frontend: these requests are given back.</summary>
    Returned = 10,

    /// <summary>Worker to frontend: more credit.</summary>
    Grant = 11,

    /// <summary>Worker to frontend: heartbeat and figures.</summary>
    Gauge = 12,

    /// <summary>Frontend to worker: leave. It comes when the worker has drained; 13 is not used.</summary>
    Stop = 14,

    /// <summary>Frontend to worker: the client has taken parts of an answer.</summary>
    Taken = 15,

    /// <summary>Worker to frontend: a request's payload in shared memory is read no longer.</summary>
    Freed = 16,
}

/// <summary>The 16 bytes before each frame's body.</summary>
/// <param name="Length">Bytes of the body.</param>
/// <param name="Type">What it is.</param>
/// <param name="Flags">By type.</param>
/// <param name="Id">By type; 0 where it has none.</param>
public readonly record struct FrameHeader(int Length, FrameType Type, byte Flags, ulong Id)
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 16;

    /// <summary>The largest body.</summary>
    public const int MaxLength = int.MaxValue - Size;

    /// <summary>On Run: another Run of the same batch follows at once.</summary>
    public const byte More = 1;

    /// <summary>On Run: not a request, but the question what the handler has to say about itself.</summary>
    public const byte Describe = 2;

    /// <summary>On Run: each part is a tensor for an input of that name.</summary>
    public const byte Tensors = 4;

    /// <summary>On Run: the payload lies in shared memory, and the frame says where.</summary>
    public const byte Shared = 8;

    /// <summary>On Output: nothing more comes for this request.</summary>
    public const byte Last = 1;

    /// <summary>Reads a header.</summary>
    /// <param name="source">At least <see cref="Size"/> bytes.</param>
    /// <exception cref="ProtocolException">The length is over the limit.</exception>
    public static FrameHeader Read(ReadOnlySpan<byte> source)
    {
        var length = BinaryPrimitives.ReadUInt32LittleEndian(source);
        if (length > MaxLength) throw new ProtocolException($"A frame of {length} bytes is announced; the limit is {MaxLength}.");
        return new FrameHeader((int)length, (FrameType)source[4], source[5], BinaryPrimitives.ReadUInt64LittleEndian(source[8..]));
    }

    /// <summary>Writes the header.</summary>
    /// <param name="target">At least <see cref="Size"/> bytes.</param>
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(target, (uint)Length);
        target[4] = (byte)Type;
        target[5] = Flags;
        BinaryPrimitives.WriteUInt16LittleEndian(target[6..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(target[8..], Id);
    }
}

/// <summary>The other side broke the protocol; the connection is closed.</summary>
/// <param name="message">What was wrong.</param>
public sealed class ProtocolException(string message) : Exception(message);
