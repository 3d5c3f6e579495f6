namespace Serve.Worker.Images.Decoding.Png;

/// <summary>What the symbols of deflate's codes stand for, as entries of a <see cref="HuffmanTable"/>, and the code that it has built in (RFC 1951, sections 3.2.5 to 3.2.7).</summary>
internal static class DeflateSymbols
{
    /// <summary>The most symbols that a block's code for literals and lengths may have.</summary>
    public const int MaxLiterals = 286;

    /// <summary>The most that its code for distances may have.</summary>
    public const int MaxDistances = 30;

    /// <summary>Literals, the end of a block, and lengths of matches.</summary>
    public static readonly uint[] Literals = MakeLiterals();

    /// <summary>Distances of matches.</summary>
    public static readonly uint[] Distances = MakeDistances();

    /// <summary>Lengths of a block's own codes, and repetitions of them.</summary>
    public static readonly uint[] CodeLengths = MakeCodeLengths();

    /// <summary>The built-in code for literals and lengths.</summary>
    public static readonly HuffmanTable FixedLiterals = MakeFixed([.. Enumerable.Repeat<byte>(8, 144), .. Enumerable.Repeat<byte>(9, 112), .. Enumerable.Repeat<byte>(7, 24), .. Enumerable.Repeat<byte>(8, 8)], Literals);

    /// <summary>That for distances.</summary>
    public static readonly HuffmanTable FixedDistances = MakeFixed([.. Enumerable.Repeat<byte>(5, 32)], Distances);

    private static HuffmanTable MakeFixed(ReadOnlySpan<byte> lengths, uint[] symbols)
    {
        var table = new HuffmanTable(tableBits: 9, capacity: 512);
        table.Build(lengths, symbols);
        return table;
    }

    private static uint[] MakeLiterals()
    {
        // 286 and 287 exist in the fixed code only, and stand for nothing.
        var symbols = new uint[288];
        Array.Fill(symbols, HuffmanTable.Exceptional);
        for (var literal = 0u; literal < 256; literal++)
            symbols[literal] = HuffmanTable.Literal | (literal << 16);
        symbols[256] = HuffmanTable.Exceptional | HuffmanTable.EndOfBlock;
        var length = 3u;
        for (var i = 0; i < 28; i++)
        {
            var extra = i < 8 ? 0 : (i / 4) - 1;
            symbols[257 + i] = (length << 16) | (uint)extra;
            length += 1u << extra;
        }

        symbols[285] = 258u << 16;
        return symbols;
    }

    private static uint[] MakeDistances()
    {
        var symbols = new uint[32];
        Array.Fill(symbols, HuffmanTable.Exceptional);
        var distance = 1u;
        for (var i = 0; i < MaxDistances; i++)
        {
            var extra = i < 4 ? 0 : (i / 2) - 1;
            symbols[i] = (distance << 16) | (uint)extra;
            distance += 1u << extra;
        }

        return symbols;
    }

    private static uint[] MakeCodeLengths()
    {
        var symbols = new uint[19];
        for (var i = 0u; i < symbols.Length; i++)
            symbols[i] = i << 16;
        return symbols;
    }
}
