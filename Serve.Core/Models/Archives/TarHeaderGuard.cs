using System.Buffers.Binary;

namespace Serve.Core.Models.Archives;

/// <summary>
/// Between the unpacker and the tar reader, for what neither of them does. The tar reader reads an extended header (a long
/// name, attributes) into memory in one piece, whatever size it declares, so that a bomb of a few kilobytes could ask for
/// two gigabytes. The unpacker takes a file that ends early for a whole one, and does not look at its checksum.
/// </summary>
internal sealed class TarHeaderGuard(Stream source) : Stream
{
    private const int TrailerBytes = 8;

    /// <summary>A path has at most 1024 characters here; attributes are a few lines.</summary>
    private const int MaxHeaderBytes = 64 << 10;

    private Crc32 _checksum;
    private long _bytes;

    /// <summary>Whether the reader looks for the next entry, and does not read a file.</summary>
    public bool IsInHeader { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Reads to the end of what is packed and checks gzip's trailer: the checksum (RFC 1952) and the size of everything.</summary>
    /// <param name="packed">The file.</param>
    /// <param name="maxPaddingBytes">How much may still come behind the tar.</param>
    /// <exception cref="InvalidDataException">It is damaged, or something follows the tar.</exception>
    public void ReadEnd(FileStream packed, int maxPaddingBytes)
    {
        var buffer = new byte[4096];
        int read;
        while ((read = Read(buffer.AsSpan())) > 0)
        {
            maxPaddingBytes -= read;
            if (maxPaddingBytes < 0 || buffer.AsSpan(0, read).ContainsAnyExcept((byte)0)) throw new InvalidDataException("Something follows the end of the tar.");
        }

        Span<byte> trailer = stackalloc byte[TrailerBytes];
        packed.Seek(-TrailerBytes, SeekOrigin.End);
        packed.ReadExactly(trailer);
        var isRight = BinaryPrimitives.ReadUInt32LittleEndian(trailer) == _checksum.Value && BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]) == (uint)_bytes;
        if (!isRight) throw new InvalidDataException("Its checksum or its size is not the one that stands at its end.");
    }

    public override int Read(Span<byte> buffer)
    {
        if (IsInHeader && buffer.Length > MaxHeaderBytes) throw new InvalidDataException($"An extended header has {buffer.Length} bytes; at most {MaxHeaderBytes} are allowed.");
        var read = source.Read(buffer);
        _checksum.Add(buffer[..read]);
        _bytes += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
