using System.Buffers.Binary;

namespace Serve.Core.Protocol;

/// <summary>
/// How much of an answer in parts may be on its way to a client: what bounds the memory that a slow reader costs. A part
/// costs its body's bytes and <see cref="PartOverheadBytes"/>. A worker sends a part only while the parts before it that the
/// client has not taken cost less than <see cref="SizeBytes"/>; a single part may be as large as it likes.
/// </summary>
public static class PartWindow
{
    /// <summary>From here on a worker waits.</summary>
    public const int SizeBytes = 256 << 10;

    /// <summary>What a part costs beside its body, so that empty ones are bounded too.</summary>
    public const int PartOverheadBytes = 256;

    /// <summary>The frontend tells the worker of what was taken once it comes to this: seldom, and long before the worker waits in vain.</summary>
    public const int TellFromBytes = SizeBytes / 4;

    /// <summary>The cost of a part.</summary>
    /// <param name="bodyBytes">Its body's length.</param>
    public static long CostOf(int bodyBytes) => (long)bodyBytes + PartOverheadBytes;

    /// <summary>Puts a Taken frame into a sender's buffer.</summary>
    /// <param name="sender">The worker's sender.</param>
    /// <param name="id">The request's id.</param>
    /// <param name="cost">Of the parts that were taken since the last such frame.</param>
    public static void EnqueueTaken(FrameSender sender, ulong id, long cost)
    {
        Span<byte> body = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(body, (ulong)cost);
        sender.Enqueue(FrameType.Taken, 0, id, body);
    }

    /// <summary>The cost that a Taken frame names.</summary>
    /// <param name="body">The frame's body.</param>
    /// <exception cref="ProtocolException">It is too short.</exception>
    public static long ReadTaken(ReadOnlySpan<byte> body) => (long)Math.Min((ulong)new SpanFields(body).Int64(), long.MaxValue);
}
