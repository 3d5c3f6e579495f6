using System.Buffers;
using Serve.Core.Protocol;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>
/// A message's bytes in the payload that its worker is to get: they were put there as they arrived. It is a segment of what
/// the message's reader is given, by which the reader knows.
/// </summary>
internal sealed class PlacedMessage : ReadOnlySequenceSegment<byte>
{
    private readonly RequestPayload _payload;

    /// <param name="payload">Has the message and nothing else; its holder keeps it until the reader has read.</param>
    /// <param name="before">What comes before the message.</param>
    public PlacedMessage(RequestPayload payload, BytesSegment before)
    {
        (_payload, Memory, RunningIndex) = (payload, payload.Body, before.Memory.Length);
        before.Append(this);
    }

    /// <summary>The payload that a message lies in, one reference for the caller; null: it lies in none by itself.</summary>
    /// <param name="message">The message.</param>
    public static RequestPayload? Hold(in ReadOnlySequence<byte> message)
    {
        if (message.Start.GetObject() is not PlacedMessage placed || message.Start.GetInteger() != 0 || message.Length != placed.Memory.Length) return null;
        placed._payload.AddReference();
        return placed._payload;
    }

    /// <summary>What comes after it.</summary>
    public void Append(BytesSegment next) => Next = next;
}

/// <summary>Bytes before or after a message.</summary>
internal sealed class BytesSegment : ReadOnlySequenceSegment<byte>
{
    /// <param name="bytes">The bytes.</param>
    /// <param name="before">How many there are before.</param>
    public BytesSegment(ReadOnlyMemory<byte> bytes, long before) => (Memory, RunningIndex) = (bytes, before);

    /// <summary>What comes after it.</summary>
    public void Append(ReadOnlySequenceSegment<byte> next) => Next = next;
}
