using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>The checksum at the end of zlib data (RFC 1950, section 9).</summary>
internal static unsafe class Adler32
{
    private const uint Modulus = 65521;

    /// <summary>256 vectors: then a lane of 16 bits has taken at most 256 · 255 and cannot have overflowed.</summary>
    private const int BlockBytes = 256 * 16;

    public static uint Compute(byte* data, long length)
    {
        ulong sum = 1, weighted = 0;
        while (length >= Vector128<byte>.Count)
        {
            var bytes = (int)Math.Min(length, BlockBytes) & ~15;
            AddBlock(data, bytes, ref sum, ref weighted);
            data += bytes;
            length -= bytes;
        }

        for (; length > 0; length--)
        {
            sum += *data++;
            weighted += sum;
        }

        return ((uint)(weighted % Modulus) << 16) | (uint)(sum % Modulus);
    }

    /// <summary>Column sums of rows of 16 bytes, and sums of those before each row: a byte's weight is the number of bytes from it to the end.</summary>
    private static void AddBlock(byte* data, int bytes, ref ulong sum, ref ulong weighted)
    {
        Vector128<ushort> low = default, high = default;
        Vector128<uint> before0 = default, before1 = default, before2 = default, before3 = default;
        for (var end = data + bytes; data < end; data += Vector128<byte>.Count)
        {
            before0 += Vector128.WidenLower(low);
            before1 += Vector128.WidenUpper(low);
            before2 += Vector128.WidenLower(high);
            before3 += Vector128.WidenUpper(high);
            var row = Vector128.Load(data);
            low += Vector128.WidenLower(row);
            high += Vector128.WidenUpper(row);
        }

        ulong columns = 0, inRow = 0;
        for (var i = 0; i < 8; i++)
        {
            columns += (uint)low[i] + high[i];
            inRow += (uint)((16 - i) * low[i]) + (uint)((8 - i) * high[i]);
        }

        // Four lanes of at most 255 · 32,640 each: no overflow before the sum leaves the vector.
        var rows = (ulong)Vector128.Sum(before0 + before1 + before2 + before3);
        weighted = (weighted + ((ulong)bytes * sum) + (16 * rows) + inRow) % Modulus;
        sum = (sum + columns) % Modulus;
    }
}
