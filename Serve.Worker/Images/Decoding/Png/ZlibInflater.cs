using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>
/// Zlib data (RFC 1950, RFC 1951) from memory into memory of a known size. The runtime's ZLibStream allocates for each picture, does not
/// say where data is wrong, and takes data that was cut for data that ended; without a stream's window this is faster, too.
/// One for each thread, reused; allocates nothing.
/// </summary>
internal sealed unsafe class ZlibInflater
{
    /// <summary>How many bytes behind the compressed ones must be readable. Their content does not matter.</summary>
    public const int InputSlackBytes = 16;

    /// <summary>How many bytes behind the output must be writable: three literals, or two and the longest match in steps of 16.</summary>
    public const int OutputSlackBytes = 320;

    /// <summary>Deflate takes at least two bits for the longest match of 258 bytes.</summary>
    public const long MaxRatio = 1032;

    /// <summary>How much is written between two looks at the token: some tenths of a millisecond.</summary>
    private const int BytesPerCheck = 1 << 17;

    private const int MaxLiteralSymbols = 286;
    private const int MaxDistanceSymbols = 30;

    private static readonly uint[] LiteralSymbols = MakeLiteralSymbols();
    private static readonly uint[] DistanceSymbols = MakeDistanceSymbols();
    private static readonly uint[] LengthSymbols = MakeLengthSymbols();
    private static readonly HuffmanTable FixedLiterals = MakeFixed([.. Enumerable.Repeat<byte>(8, 144), .. Enumerable.Repeat<byte>(9, 112), .. Enumerable.Repeat<byte>(7, 24), .. Enumerable.Repeat<byte>(8, 8)], LiteralSymbols);
    private static readonly HuffmanTable FixedDistances = MakeFixed([.. Enumerable.Repeat<byte>(5, 32)], DistanceSymbols);

    // The sizes are the most that any code of so many symbols takes with that many bits in the first table.
    private readonly HuffmanTable _literals = new(tableBits: 11, capacity: 2342);
    private readonly HuffmanTable _distances = new(tableBits: 8, capacity: 402);
    private readonly HuffmanTable _lengths = new(tableBits: 7, capacity: 128);

    // The position: bits that were read and not used, and the byte after them. Loads are of eight bytes, so _next may stand behind the end.
    private byte* _start;
    private byte* _next;
    private byte* _end;
    private ulong _bits;
    private int _bitCount;

    private byte* _outputStart;
    private byte* _output;
    private byte* _outputEnd;

    private static ReadOnlySpan<byte> LengthOrder => [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    /// <summary>The first byte that no used bit belongs to.</summary>
    private byte* Position => _next - (_bitCount >> 3);

    /// <summary>Inflates everything and demands that it is whole, fills the output and has the right checksum.</summary>
    /// <param name="input">The compressed bytes, with <see cref="InputSlackBytes"/> behind them.</param>
    /// <param name="inputBytes">How many they are.</param>
    /// <param name="output">Where to write, with <see cref="OutputSlackBytes"/> behind it, which get undefined content.</param>
    /// <param name="outputBytes">How many bytes there should be.</param>
    /// <param name="cancellationToken">Ends the work within a millisecond.</param>
    public InflateResult Inflate(byte* input, long inputBytes, byte* output, long outputBytes, CancellationToken cancellationToken)
    {
        _start = _next = input;
        _end = input + inputBytes;
        (_bits, _bitCount) = (0, 0);
        _outputStart = _output = output;
        _outputEnd = output + outputBytes;

        var status = InflateAll(cancellationToken);
        return new InflateResult(status, Math.Min(Position - _start, inputBytes), Math.Min(_output - output, outputBytes));
    }

    private InflateStatus InflateAll(CancellationToken cancellationToken)
    {
        if (_end - _next < 2)
            return InflateStatus.EndsEarly;

        // Method 8 with a window of up to 32 KiB, no preset dictionary, and a check of these two bytes.
        if ((_next[0] & 15) != 8 || (_next[0] >> 4) > 7 || (_next[1] & 0x20) != 0 || ((_next[0] << 8) | _next[1]) % 31 != 0)
            return InflateStatus.BadHeader;
        _next += 2;

        bool isLast;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!Refill())
                return InflateStatus.EndsEarly;
            isLast = Take(1) != 0;
            var status = Take(2) switch
            {
                0 => CopyStored(),
                1 => InflateBlock(FixedLiterals, FixedDistances, cancellationToken),
                2 => ReadCodes() is var codes and not InflateStatus.Done ? codes : InflateBlock(_literals, _distances, cancellationToken),
                _ => InflateStatus.BadBlockType,
            };

            // What lies behind the end may have looked like anything: the data ended before.
            if (status != InflateStatus.Done)
                return Position > _end ? InflateStatus.EndsEarly : status;
        }
        while (!isLast);

        return CheckEnd();
    }

    private InflateStatus CheckEnd()
    {
        ToByteBoundary();
        if (_end - _next < 4)
            return InflateStatus.EndsEarly;
        if (_output < _outputEnd)
            return InflateStatus.TooShort;
        var written = BinaryPrimitives.ReadUInt32BigEndian(new ReadOnlySpan<byte>(_next, 4));
        if (written != Adler32.Compute(_outputStart, _outputEnd - _outputStart))
            return InflateStatus.BadChecksum;
        _next += 4;
        return _next == _end ? InflateStatus.Done : InflateStatus.TrailingBytes;
    }

    private InflateStatus CopyStored()
    {
        ToByteBoundary();
        if (_end - _next < 4)
            return InflateStatus.EndsEarly;
        int length = _next[0] | (_next[1] << 8), complement = _next[2] | (_next[3] << 8);
        if (length != (complement ^ 0xFFFF))
            return InflateStatus.BadStoredLength;
        _next += 4;
        var there = Math.Min(length, _end - _next);
        if (there > _outputEnd - _output)
            return InflateStatus.TooLong;
        Buffer.MemoryCopy(_next, _output, _outputEnd - _output, there);
        _next += there;
        _output += there;
        return there == length ? InflateStatus.Done : InflateStatus.EndsEarly;
    }

    /// <summary>The codes of a block, themselves compressed (RFC 1951, section 3.2.7).</summary>
    private InflateStatus ReadCodes()
    {
        var literalCount = 257 + (int)Take(5);
        var distanceCount = 1 + (int)Take(5);
        var lengthCount = 4 + (int)Take(4);
        if (literalCount > MaxLiteralSymbols || distanceCount > MaxDistanceSymbols)
            return InflateStatus.BadCode;

        Span<byte> lengths = stackalloc byte[MaxLiteralSymbols + MaxDistanceSymbols];
        lengths[..LengthOrder.Length].Clear();
        for (var i = 0; i < lengthCount; i++)
        {
            if (!Refill())
                return InflateStatus.EndsEarly;
            lengths[LengthOrder[i]] = (byte)Take(3);
        }

        if (!_lengths.Build(lengths[..LengthOrder.Length], LengthSymbols))
            return InflateStatus.BadCode;

        var count = literalCount + distanceCount;
        for (var i = 0; i < count;)
        {
            if (!Refill())
                return InflateStatus.EndsEarly;
            var entry = _lengths.Entries[(int)_bits & ((1 << _lengths.Bits) - 1)];
            Take((int)(entry & 0xFF));
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
            var times = symbol switch { 16 => 3 + (int)Take(2), 17 => 3 + (int)Take(3), _ => 11 + (int)Take(7) };
            if (times > count - i)
                return InflateStatus.BadCode;
            lengths.Slice(i, times).Fill(repeated);
            i += times;
        }

        // Without a code for its end a block has none.
        return lengths[256] != 0
            && _literals.Build(lengths[..literalCount], LiteralSymbols)
            && _distances.Build(lengths.Slice(literalCount, distanceCount), DistanceSymbols)
            ? InflateStatus.Done
            : InflateStatus.BadCode;
    }

    /// <summary>
    /// The loop that costs. No bounds check but three: when it starts over, the position is within the input (so that both loads below
    /// end within the slack) and the output is not full (so that what is written ends within its slack); and no distance leads before the output.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private InflateStatus InflateBlock(HuffmanTable literalTable, HuffmanTable distanceTable, CancellationToken cancellationToken)
    {
        var bits = _bits;
        var bitCount = _bitCount;
        byte* next = _next, end = _end, output = _output;
        var checkAt = Math.Min(_outputEnd - output, BytesPerCheck) + output;
        ulong literalMask = (1UL << literalTable.Bits) - 1, distanceMask = (1UL << distanceTable.Bits) - 1;
        InflateStatus status;
        fixed (uint* literals = literalTable.Entries, distances = distanceTable.Entries)
        {
            while (true)
            {
                if (output > checkAt)
                {
                    if (output > _outputEnd)
                    {
                        status = InflateStatus.TooLong;
                        break;
                    }

                    cancellationToken.ThrowIfCancellationRequested();
                    checkAt = Math.Min(_outputEnd - output, BytesPerCheck) + output;
                }

                if (next - (bitCount >> 3) > end)
                {
                    status = InflateStatus.EndsEarly;
                    break;
                }

                bits |= *(ulong*)next << bitCount;
                next += (63 - bitCount) >> 3;
                bitCount |= 56;

                // At least 56 bits: three literals of the first table, or a length and a distance with all their extra bits.
                var entry = literals[bits & literalMask];
                if ((int)entry < 0)
                {
                    bits >>= (int)entry;
                    bitCount -= (byte)entry;
                    *output++ = (byte)(entry >> 16);
                    entry = literals[bits & literalMask];
                    if ((int)entry < 0)
                    {
                        bits >>= (int)entry;
                        bitCount -= (byte)entry;
                        *output++ = (byte)(entry >> 16);
                        entry = literals[bits & literalMask];
                        if ((int)entry < 0)
                        {
                            bits >>= (int)entry;
                            bitCount -= (byte)entry;
                            *output++ = (byte)(entry >> 16);
                            continue;
                        }
                    }

                    bits |= *(ulong*)next << bitCount;
                    next += (63 - bitCount) >> 3;
                    bitCount |= 56;
                }

                if ((entry & HuffmanTable.Exceptional) != 0)
                {
                    if ((entry & HuffmanTable.Subtable) != 0)
                    {
                        bits >>= (int)entry;
                        bitCount -= (byte)entry;
                        entry = literals[(entry >> 16) + (bits & ((1UL << (int)((entry >> 8) & 15)) - 1))];
                        if ((int)entry < 0)
                        {
                            bits >>= (int)entry;
                            bitCount -= (byte)entry;
                            *output++ = (byte)(entry >> 16);
                            continue;
                        }
                    }

                    if ((entry & HuffmanTable.Exceptional) != 0)
                    {
                        bits >>= (int)entry;
                        bitCount -= (byte)entry;
                        status = (entry & HuffmanTable.EndOfBlock) != 0 ? InflateStatus.Done : InflateStatus.BadSymbol;
                        break;
                    }
                }

                var length = (int)(entry >> 16) + (int)((bits & ((1UL << (byte)entry) - 1)) >> (int)((entry >> 8) & 15));
                bits >>= (int)entry;
                bitCount -= (byte)entry;

                entry = distances[bits & distanceMask];
                if ((entry & HuffmanTable.Exceptional) != 0)
                {
                    if ((entry & HuffmanTable.Subtable) != 0)
                    {
                        bits >>= (int)entry;
                        bitCount -= (byte)entry;
                        entry = distances[(entry >> 16) + (bits & ((1UL << (int)((entry >> 8) & 15)) - 1))];
                    }

                    if ((entry & HuffmanTable.Exceptional) != 0)
                    {
                        bits >>= (int)entry;
                        bitCount -= (byte)entry;
                        status = InflateStatus.BadSymbol;
                        break;
                    }
                }

                var distance = (int)(entry >> 16) + (int)((bits & ((1UL << (byte)entry) - 1)) >> (int)((entry >> 8) & 15));
                bits >>= (int)entry;
                bitCount -= (byte)entry;
                if (distance > output - _outputStart)
                {
                    status = InflateStatus.BadDistance;
                    break;
                }

                CopyMatch(output, distance, length);
                output += length;
            }
        }

        (_bits, _bitCount) = (bits, bitCount);
        _next = next;
        _output = output;
        return status == InflateStatus.Done && output > _outputEnd ? InflateStatus.TooLong : status;
    }

    /// <summary>Copies from within the output, also from what the copy itself writes. Writes up to 15 bytes too many.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyMatch(byte* output, int distance, int length)
    {
        var source = output - distance;
        var end = output + length;
        if (distance >= 16)
        {
            do
            {
                Vector128.Load(source).Store(output);
                source += 16;
                output += 16;
            }
            while (output < end);
        }
        else if (distance == 1)
        {
            var run = Vector128.Create(*source);
            do
            {
                run.Store(output);
                output += 16;
            }
            while (output < end);
        }
        else if (distance >= 8)
        {
            do
            {
                *(ulong*)output = *(ulong*)source;
                source += 8;
                output += 8;
            }
            while (output < end);
        }
        else
        {
            do
                *output++ = *source++;
            while (output < end);
        }
    }

    /// <summary>At least 56 bits; those behind the end are undefined. False when more than there are have been used.</summary>
    private bool Refill()
    {
        if (Position > _end)
            return false;
        _bits |= *(ulong*)_next << _bitCount;
        _next += (63 - _bitCount) >> 3;
        _bitCount |= 56;
        return true;
    }

    private ulong Take(int count)
    {
        var value = _bits & ((1UL << count) - 1);
        _bits >>= count;
        _bitCount -= count;
        return value;
    }

    private void ToByteBoundary()
    {
        _next = Position;
        (_bits, _bitCount) = (0, 0);
    }

    private static HuffmanTable MakeFixed(ReadOnlySpan<byte> lengths, uint[] symbols)
    {
        var table = new HuffmanTable(tableBits: 9, capacity: 512);
        table.Build(lengths, symbols);
        return table;
    }

    private static uint[] MakeLiteralSymbols()
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

    private static uint[] MakeDistanceSymbols()
    {
        var symbols = new uint[32];
        Array.Fill(symbols, HuffmanTable.Exceptional);
        var distance = 1u;
        for (var i = 0; i < MaxDistanceSymbols; i++)
        {
            var extra = i < 4 ? 0 : (i / 2) - 1;
            symbols[i] = (distance << 16) | (uint)extra;
            distance += 1u << extra;
        }

        return symbols;
    }

    private static uint[] MakeLengthSymbols()
    {
        var symbols = new uint[19];
        for (var i = 0u; i < symbols.Length; i++)
            symbols[i] = i << 16;
        return symbols;
    }
}
