using System.Buffers.Binary;
using Serve.Worker.Images.Formats;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>Finds the chunks of a PNG that <see cref="PngWalk"/> has accepted: lengths, order and checksums hold.</summary>
internal readonly ref struct PngChunkList(ReadOnlySpan<byte> encoded)
{
    private const int ChunkOverhead = 12;

    private readonly ReadOnlySpan<byte> _encoded = encoded;

    /// <summary>The 13 bytes of the header (IHDR).</summary>
    public ReadOnlySpan<byte> Header => _encoded.Slice(PngWalk.Signature.Length + 8, 13);

    /// <summary>The first chunk of that name; empty when there is none.</summary>
    public ReadOnlySpan<byte> Find(ReadOnlySpan<byte> name)
    {
        foreach (var chunk in this)
        {
            if (_encoded.Slice(chunk.Offset - 4, 4).SequenceEqual(name))
                return _encoded.Slice(chunk.Offset, chunk.Length);
        }

        return [];
    }

    /// <summary>Where a byte of the compressed data stands in the file, whichever chunk it is in; behind the last one: where that ends.</summary>
    public int FileOffset(long dataOffset)
    {
        var end = 0;
        foreach (var chunk in this)
        {
            if (!IsData(chunk))
                continue;
            if (dataOffset < chunk.Length)
                return chunk.Offset + (int)dataOffset;
            dataOffset -= chunk.Length;
            end = chunk.Offset + chunk.Length;
        }

        return end;
    }

    public bool IsData(Chunk chunk) => _encoded.Slice(chunk.Offset - 4, 4).SequenceEqual("IDAT"u8);

    public Enumerator GetEnumerator() => new(_encoded);

    /// <summary>Where a chunk's content stands in the file.</summary>
    public readonly record struct Chunk(int Offset, int Length);

    public ref struct Enumerator(ReadOnlySpan<byte> encoded)
    {
        private readonly ReadOnlySpan<byte> _encoded = encoded;
        private int _next = PngWalk.Signature.Length;

        public Chunk Current { get; private set; }

        /// <summary>To the next chunk, IEND included; bytes behind that are none.</summary>
        public bool MoveNext()
        {
            if (Current.Offset != 0 && _encoded.Slice(Current.Offset - 4, 4).SequenceEqual("IEND"u8))
                return false;
            var length = BinaryPrimitives.ReadInt32BigEndian(_encoded[_next..]);
            Current = new Chunk(_next + 8, length);
            _next += ChunkOverhead + length;
            return true;
        }
    }
}
