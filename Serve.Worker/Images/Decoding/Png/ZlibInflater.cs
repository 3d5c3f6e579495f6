using System.Buffers.Binary;
using System.Runtime.CompilerServices;

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

    private readonly BlockCodes _codes = new();
    private BitReader _input;
    private byte* _start;
    private byte* _outputStart;
    private byte* _output;
    private byte* _outputEnd;

    /// <summary>Inflates everything and demands that it is whole, fills the output and has the right checksum.</summary>
    /// <param name="input">The compressed bytes, with <see cref="InputSlackBytes"/> behind them.</param>
    /// <param name="inputBytes">How many they are.</param>
    /// <param name="output">Where to write, with <see cref="OutputSlackBytes"/> behind it, which get undefined content.</param>
    /// <param name="outputBytes">How many bytes there should be.</param>
    /// <param name="cancellationToken">Ends the work within a millisecond.</param>
    public InflateResult Inflate(byte* input, long inputBytes, byte* output, long outputBytes, CancellationToken cancellationToken)
    {
        _start = input;
        _input = new BitReader(input, inputBytes);
        _outputStart = _output = output;
        _outputEnd = output + outputBytes;

        var status = InflateAll(cancellationToken);
        return new InflateResult(status, Math.Min(_input.Position - _start, inputBytes), Math.Min(_output - output, outputBytes));
    }

    private InflateStatus InflateAll(CancellationToken cancellationToken)
    {
        if (_input.End - _input.Next < 2)
            return InflateStatus.EndsEarly;

        // Method 8 with a window of up to 32 KiB, no preset dictionary, and a check of these two bytes.
        if ((_input.Next[0] & 15) != 8 || (_input.Next[0] >> 4) > 7 || (_input.Next[1] & 0x20) != 0 || ((_input.Next[0] << 8) | _input.Next[1]) % 31 != 0)
            return InflateStatus.BadHeader;
        _input.Next += 2;

        bool isLast;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!_input.Refill())
                return InflateStatus.EndsEarly;
            isLast = _input.Take(1) != 0;
            var status = _input.Take(2) switch
            {
                0 => CopyStored(),
                1 => InflateBlock(DeflateSymbols.FixedLiterals, DeflateSymbols.FixedDistances, cancellationToken),
                2 => _codes.Read(ref _input) is var codes and not InflateStatus.Done ? codes : InflateBlock(_codes.Literals, _codes.Distances, cancellationToken),
                _ => InflateStatus.BadBlockType,
            };

            // What lies behind the end may have looked like anything: the data ended before.
            if (status != InflateStatus.Done)
                return _input.Position > _input.End ? InflateStatus.EndsEarly : status;
        }
        while (!isLast);

        return CheckEnd();
    }

    private InflateStatus CheckEnd()
    {
        _input.ToByteBoundary();
        if (_input.End - _input.Next < 4)
            return InflateStatus.EndsEarly;
        if (_output < _outputEnd)
            return InflateStatus.TooShort;
        var written = BinaryPrimitives.ReadUInt32BigEndian(new ReadOnlySpan<byte>(_input.Next, 4));
        if (written != Adler32.Compute(_outputStart, _outputEnd - _outputStart))
            return InflateStatus.BadChecksum;
        _input.Next += 4;
        return _input.Next == _input.End ? InflateStatus.Done : InflateStatus.TrailingBytes;
    }

    private InflateStatus CopyStored()
    {
        _input.ToByteBoundary();
        if (_input.End - _input.Next < 4)
            return InflateStatus.EndsEarly;
        int length = _input.Next[0] | (_input.Next[1] << 8), complement = _input.Next[2] | (_input.Next[3] << 8);
        if (length != (complement ^ 0xFFFF))
            return InflateStatus.BadStoredLength;
        _input.Next += 4;
        var there = Math.Min(length, _input.End - _input.Next);
        if (there > _outputEnd - _output)
            return InflateStatus.TooLong;
        Buffer.MemoryCopy(_input.Next, _output, _outputEnd - _output, there);
        _input.Next += there;
        _output += there;
        return there == length ? InflateStatus.Done : InflateStatus.EndsEarly;
    }

    /// <summary>
    /// The loop that costs. No bounds check but three: when it starts over, the position is within the input (so that both loads below
    /// end within the slack) and the output is not full (so that what is written ends within its slack); and no distance leads before the output.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private InflateStatus InflateBlock(HuffmanTable literalTable, HuffmanTable distanceTable, CancellationToken cancellationToken)
    {
        var bits = _input.Bits;
        var bitCount = _input.BitCount;
        byte* next = _input.Next, end = _input.End, output = _output;
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

                DeflateMatch.Copy(output, distance, length);
                output += length;
            }
        }

        (_input.Bits, _input.BitCount) = (bits, bitCount);
        _input.Next = next;
        _output = output;
        return status == InflateStatus.Done && output > _outputEnd ? InflateStatus.TooLong : status;
    }
}
