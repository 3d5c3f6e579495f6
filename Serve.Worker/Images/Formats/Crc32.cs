using System.Runtime.InteropServices;

namespace Serve.Worker.Images.Formats;

/// <summary>The checksum of PNG chunks (ISO 3309), sixteen bytes at a step.</summary>
internal static class Crc32
{
    private const int Slices = 16;

    /// <summary>Slice s, byte b: what b contributes when s bytes follow it in the step.</summary>
    private static readonly uint[] Table = MakeTable();

    public static uint Compute(ReadOnlySpan<byte> data)
    {
        ref var table = ref MemoryMarshal.GetArrayDataReference(Table);
        var crc = 0xFFFF_FFFFu;
        while (data.Length >= Slices)
        {
            // Little-endian words: a big-endian machine would need a swap, and .NET runs on none that we serve.
            var words = MemoryMarshal.Cast<byte, uint>(data[..Slices]);
            crc = Word(ref table, words[0] ^ crc, 12) ^ Word(ref table, words[1], 8) ^ Word(ref table, words[2], 4) ^ Word(ref table, words[3], 0);
            data = data[Slices..];
        }

        foreach (var value in data)
            crc = (crc >> 8) ^ Table[(byte)(crc ^ value)];
        return ~crc;
    }

    private static uint Word(ref uint table, uint word, int following) =>
        At(ref table, following + 3, (byte)word)
        ^ At(ref table, following + 2, (byte)(word >> 8))
        ^ At(ref table, following + 1, (byte)(word >> 16))
        ^ At(ref table, following, (byte)(word >> 24));

    private static uint At(ref uint table, int slice, byte value) =>
        System.Runtime.CompilerServices.Unsafe.Add(ref table, (slice << 8) + value);

    private static uint[] MakeTable()
    {
        var table = new uint[Slices * 256];
        for (var value = 0u; value < 256; value++)
        {
            var crc = value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ (0xEDB8_8320u & (0u - (crc & 1)));
            table[value] = crc;
        }

        for (var i = 256; i < table.Length; i++)
            table[i] = (table[i - 256] >> 8) ^ table[(byte)table[i - 256]];
        return table;
    }
}
