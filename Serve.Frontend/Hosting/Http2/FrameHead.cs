using System.Buffers.Binary;

namespace Serve.Frontend.Hosting.Http2;

/// <summary>The nine bytes before each frame of HTTP/2 (RFC 9113, section 4.1).</summary>
/// <param name="Length">Bytes of the payload that follows.</param>
/// <param name="Type">What the frame is, one of the constants here or another.</param>
/// <param name="Flags">Of its type.</param>
/// <param name="Stream">The stream it belongs to; 0: the connection.</param>
internal readonly record struct FrameHead(int Length, byte Type, byte Flags, int Stream)
{
    /// <summary>So many bytes a head has.</summary>
    public const int Bytes = 9;

    public const byte Data = 0;
    public const byte Headers = 1;
    public const byte Reset = 3;
    public const byte GoAway = 7;
    public const byte WindowUpdate = 8;
    public const byte Continuation = 9;

    private const byte EndStreamFlag = 1;
    private const byte EndHeadersFlag = 4;
    private const byte PaddedFlag = 8;

    /// <summary>Of DATA and HEADERS: nothing of the stream follows.</summary>
    public bool EndsStream => (Flags & EndStreamFlag) != 0;

    /// <summary>Of HEADERS and CONTINUATION: the next frame belongs to something else.</summary>
    public bool EndsHeaders => (Flags & EndHeadersFlag) != 0;

    /// <summary>Of DATA: the payload begins with the length of its padding.</summary>
    public bool IsPadded => (Flags & PaddedFlag) != 0;

    /// <summary>A frame of a stream's body.</summary>
    public static FrameHead OfData(int stream, int length, bool endsStream) => new(length, Data, endsStream ? EndStreamFlag : (byte)0, stream);

    /// <summary>Reads a head.</summary>
    /// <param name="bytes"><see cref="Bytes"/> of them at least.</param>
    public static FrameHead Read(ReadOnlySpan<byte> bytes) =>
        new((bytes[0] << 16) | BinaryPrimitives.ReadUInt16BigEndian(bytes[1..]), bytes[3], bytes[4], BinaryPrimitives.ReadInt32BigEndian(bytes[5..]) & int.MaxValue);

    /// <summary>Writes it.</summary>
    /// <param name="bytes">Room for <see cref="Bytes"/>.</param>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, ((uint)Length << 8) | Type);
        bytes[4] = Flags;
        BinaryPrimitives.WriteInt32BigEndian(bytes[5..], Stream);
    }
}
