namespace Serve.Worker.Images.Decoding.Png;

/// <summary>Reads bits as deflate packs them, the lowest of a byte first (RFC 1951, section 3.1.1). Loads are of eight bytes: so many behind the end must be readable.</summary>
internal unsafe struct BitReader
{
    /// <summary>The byte after those whose bits are in <see cref="Bits"/>; may stand behind the end.</summary>
    public byte* Next;

    /// <summary>Behind the last byte.</summary>
    public byte* End;

    /// <summary>Bits that were read and not used.</summary>
    public ulong Bits;

    /// <summary>How many of them.</summary>
    public int BitCount;

    /// <summary>Begins.</summary>
    /// <param name="input">The bytes.</param>
    /// <param name="bytes">How many.</param>
    public BitReader(byte* input, long bytes)
    {
        Next = input;
        End = input + bytes;
    }

    /// <summary>The first byte that no used bit belongs to.</summary>
    public readonly byte* Position => Next - (BitCount >> 3);

    /// <summary>Sees to it that there are at least 56 bits; those behind the end are undefined.</summary>
    /// <returns>False when more than there are have been used.</returns>
    public bool Refill()
    {
        if (Position > End)
            return false;
        Bits |= *(ulong*)Next << BitCount;
        Next += (63 - BitCount) >> 3;
        BitCount |= 56;
        return true;
    }

    /// <summary>Uses some of the bits that there are.</summary>
    public ulong Take(int count)
    {
        var value = Bits & ((1UL << count) - 1);
        Bits >>= count;
        BitCount -= count;
        return value;
    }

    /// <summary>Leaves out the rest of a byte that was begun.</summary>
    public void ToByteBoundary()
    {
        Next = Position;
        (Bits, BitCount) = (0, 0);
    }
}
