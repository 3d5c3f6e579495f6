namespace Serve.Worker.Images.Decoding.Png;

/// <summary>The two codes that a block of deflate brings along (RFC 1951, section 3.2.7). Reused; allocates nothing.</summary>
internal sealed class BlockCodes
{
    // The sizes are the most that any code of so many symbols takes with that many bits in the first table.
    private readonly HuffmanTable _lengths = new(tableBits: 7, capacity: 128);

    /// <summary>For literals, the end of the block, and lengths of matches.</summary>
    public HuffmanTable Literals { get; } = new(tableBits: 11, capacity: 2342);

    /// <summary>For distances of matches.</summary>
    public HuffmanTable Distances { get; } = new(tableBits: 8, capacity: 402);

    private static ReadOnlySpan<byte> LengthOrder => [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    /// <summary>Reads them; they are compressed themselves.</summary>
    /// <param name="input">Stands behind the block's type.</param>
    public InflateStatus Read(ref BitReader input)
    {
        var literalCount = 257 + (int)input.Take(5);
        var distanceCount = 1 + (int)input.Take(5);
        var lengthCount = 4 + (int)input.Take(4);
        if (literalCount > DeflateSymbols.MaxLiterals || distanceCount > DeflateSymbols.MaxDistances)
            return InflateStatus.BadCode;

        Span<byte> lengths = stackalloc byte[DeflateSymbols.MaxLiterals + DeflateSymbols.MaxDistances];
        lengths[..LengthOrder.Length].Clear();
        for (var i = 0; i < lengthCount; i++)
        {
            if (!input.Refill())
                return InflateStatus.EndsEarly;
            lengths[LengthOrder[i]] = (byte)input.Take(3);
        }

        if (!_lengths.Build(lengths[..LengthOrder.Length], DeflateSymbols.CodeLengths))
            return InflateStatus.BadCode;

        var count = literalCount + distanceCount;
        for (var i = 0; i < count;)
        {
            if (!input.Refill())
                return InflateStatus.EndsEarly;
            var entry = _lengths.Entries[(int)input.Bits & ((1 << _lengths.Bits) - 1)];
            input.Take((int)(entry & 0xFF));
            if ((entry & HuffmanTable.Exceptional) != 0)
                return InflateStatus.BadCode;
            var symbol = (int)(entry >> 16);
            if (symbol < 16)
            {
                lengths[i++] = (byte)symbol;
                continue;
            }

            // 16: the last length again, 3 to 6 times; 17 and 18: zeros, 3 to 10 and 11 to 138 times.
            if (symbol == 16 && i == 0)
                return InflateStatus.BadCode;
            var repeated = symbol == 16 ? lengths[i - 1] : (byte)0;
            var times = symbol switch { 16 => 3 + (int)input.Take(2), 17 => 3 + (int)input.Take(3), _ => 11 + (int)input.Take(7) };
            if (times > count - i)
                return InflateStatus.BadCode;
            lengths.Slice(i, times).Fill(repeated);
            i += times;
        }

        // Without a code for its end a block has none.
        return lengths[256] != 0
            && Literals.Build(lengths[..literalCount], DeflateSymbols.Literals)
            && Distances.Build(lengths.Slice(literalCount, distanceCount), DeflateSymbols.Distances)
            ? InflateStatus.Done
            : InflateStatus.BadCode;
    }
}
