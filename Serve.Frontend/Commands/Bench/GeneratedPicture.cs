using System.Buffers.Binary;
using System.IO.Compression;
using Serve.Core.Models.Archives;

namespace Serve.Frontend.Commands.Bench;

/// <summary>A picture for loads: gradients with some noise, which costs about what a photo costs to decode.</summary>
internal static class GeneratedPicture
{
    private const int Noise = 12;
    private const byte TrueColour = 2;
    private const byte EightBits = 8;

    /// <summary>A PNG, 8 bits, RGB (https://www.w3.org/TR/png-3/).</summary>
    public static byte[] Png(int width, int height, int seed)
    {
        using var png = new MemoryStream();
        png.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (EightBits, TrueColour);
        WriteChunk(png, "IHDR"u8, header);
        using var pixels = new MemoryStream();
        using (var zlib = new ZLibStream(pixels, CompressionLevel.Fastest, leaveOpen: true)) WriteRows(zlib, width, height, new Random(seed));
        WriteChunk(png, "IDAT"u8, pixels.ToArray());
        WriteChunk(png, "IEND"u8, []);
        return png.ToArray();
    }

    private static void WriteRows(Stream rows, int width, int height, Random random)
    {
        var (red, green, blue) = (random.Next(128), random.Next(128), random.Next(128));
        var row = new byte[1 + (3 * width)];
        for (var y = 0; y < height; y++)
        {
            // row[0] is the filter, none.
            for (var x = 0; x < width; x++)
            {
                var noise = random.Next(Noise);
                row[1 + (3 * x)] = (byte)(red + (100 * x / width) + noise);
                row[2 + (3 * x)] = (byte)(green + (100 * y / height) + noise);
                row[3 + (3 * x)] = (byte)(blue + (50 * x / width) + (50 * y / height) + noise);
            }

            rows.Write(row);
        }
    }

    private static void WriteChunk(MemoryStream png, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(type);
        png.Write(data);
        var checksum = new Crc32();
        checksum.Add(type);
        checksum.Add(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, checksum.Value);
        png.Write(number);
    }
}
