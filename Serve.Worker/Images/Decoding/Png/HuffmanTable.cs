using System.Numerics;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>
/// A prefix code of deflate as a lookup table (RFC 1951, section 3.2.2): the next bits of the data are the index, longer codes go on in
/// subtables behind it. An entry holds, from the lowest bit: 8 bits: how many bits the symbol takes with its extra bits; 4 bits: of
/// these the code's own; three flags; 15 bits: the value; a flag for literals.
/// </summary>
internal sealed class HuffmanTable(int tableBits, int capacity)
{
    /// <summary>The value is a byte of the output.</summary>
    public const uint Literal = 0x8000_0000;

    /// <summary>Not a value: a subtable, the end of the block, or (alone) a code that stands for nothing.</summary>
    public const uint Exceptional = 0x8000;

    /// <summary>The value is the index of a subtable, which the next bits (the second field says how many) are an index into.</summary>
    public const uint Subtable = 0x4000;

    /// <summary>The block ends.</summary>
    public const uint EndOfBlock = 0x2000;

    public const int MaxCodeBits = 15;

    private readonly uint[] _entries = GC.AllocateUninitializedArray<uint>(capacity, pinned: true);
    private readonly ushort[] _sorted = new ushort[288];

    /// <summary>The table; pinned, so that pointers into it hold.</summary>
    public uint[] Entries => _entries;

    /// <summary>How many bits the first lookup takes; fewer than the table could where the code has no longer ones.</summary>
    public int Bits { get; private set; }

    /// <summary>Builds the table. False: the lengths describe no prefix code.</summary>
    /// <param name="lengths">The bits of each symbol's code; 0: the symbol is not used.</param>
    /// <param name="symbols">Each symbol's entry, without the bits of its code.</param>
    public bool Build(ReadOnlySpan<byte> lengths, ReadOnlySpan<uint> symbols)
    {
        Span<int> counts = stackalloc int[MaxCodeBits + 1];
        counts.Clear();
        foreach (var length in lengths)
            counts[length]++;

        var longest = MaxCodeBits;
        while (longest > 1 && counts[longest] == 0)
            longest--;
        Bits = Math.Min(tableBits, longest);

        Span<int> offsets = stackalloc int[MaxCodeBits + 1];
        int space = 0, used = 0;
        for (var length = 1; length <= longest; length++)
        {
            offsets[length] = used;
            used += counts[length];
            space = (space << 1) + counts[length];
        }

        if (space > 1 << longest)
            return false;
        if (space < 1 << longest)
            return BuildIncomplete(lengths, symbols, used, longest);

        for (var symbol = 0; symbol < lengths.Length; symbol++)
        {
            if (lengths[symbol] != 0)
                _sorted[offsets[lengths[symbol]]++] = (ushort)symbol;
        }

        Fill(counts, symbols);
        return true;
    }

    /// <summary>What encoders write for a block with one distance or none: no code at all, or a single one of one bit. The bits that stand for nothing are refused when they come.</summary>
    private bool BuildIncomplete(ReadOnlySpan<byte> lengths, ReadOnlySpan<uint> symbols, int used, int longest)
    {
        if (used > 1 || longest > 1)
            return false;
        _entries.AsSpan(0, 2).Fill(WithLength(Exceptional, 1));
        if (used == 1)
            _entries[0] = WithLength(symbols[lengths.IndexOf((byte)1)], 1);
        return true;
    }

    /// <summary>Codes in the order of their length: a table for codes of n bits, doubled, is one for n + 1.</summary>
    private void Fill(ReadOnlySpan<int> counts, ReadOnlySpan<uint> symbols)
    {
        var entries = _entries.AsSpan();
        int next = 0, code = 0, length = 1, remaining;
        while ((remaining = counts[length]) == 0)
            length++;
        var size = 1 << length;
        while (length <= Bits)
        {
            do
            {
                entries[code] = WithLength(symbols[_sorted[next++]], length);
                if (code == size - 1)
                {
                    for (; length < Bits; length++, size <<= 1)
                        entries[..size].CopyTo(entries[size..]);
                    return;
                }

                code = NextCode(code, size - 1);
            }
            while (--remaining > 0);

            do
            {
                if (++length <= Bits)
                {
                    entries[..size].CopyTo(entries[size..]);
                    size <<= 1;
                }
            }
            while ((remaining = counts[length]) == 0);
        }

        FillSubtables(counts, symbols, next, code, length, remaining);
    }

    private void FillSubtables(ReadOnlySpan<int> counts, ReadOnlySpan<uint> symbols, int next, int code, int length, int remaining)
    {
        var entries = _entries.AsSpan();
        var mask = (1 << Bits) - 1;
        int prefix = -1, start = 0, end = 1 << Bits;
        while (true)
        {
            if ((code & mask) != prefix)
            {
                // As large as the longest code with this prefix needs it: the codes that follow fill it up.
                prefix = code & mask;
                start = end;
                var bits = length - Bits;
                for (var filled = remaining; filled < 1 << bits; filled = (filled << 1) + counts[Bits + bits])
                    bits++;
                end = start + (1 << bits);
                entries[prefix] = ((uint)start << 16) | Exceptional | Subtable | (uint)(bits << 8) | (uint)Bits;
            }

            var entry = WithLength(symbols[_sorted[next++]], length - Bits);
            for (var i = start + (code >> Bits); i < end; i += 1 << (length - Bits))
                entries[i] = entry;
            if (code == (1 << length) - 1)
                return;

            code = NextCode(code, (1 << length) - 1);
            remaining--;
            while (remaining == 0)
                remaining = counts[++length];
        }
    }

    /// <summary>The next code of the same length, with its first bit lowest, as they come out of the data.</summary>
    private static int NextCode(int code, int allOnes)
    {
        var bit = 1 << BitOperations.Log2((uint)(code ^ allOnes));
        return (code & (bit - 1)) | bit;
    }

    private static uint WithLength(uint symbol, int bits) => symbol + ((uint)bits << 8) + (uint)bits;
}
