using System.Buffers.Binary;
using System.IO.Compression;
using Serve.Worker.Images.Formats;

namespace Serve.Tests.Worker.Images.Png;

/// <summary>Writes PNGs of any colour type with any filters, plainly, from levels: what goes in must come out.</summary>
internal sealed record PngWriter(int Width, int Height, byte Colour)
{
    /// <summary>Bytes of a pixel; all pictures have 8 bits a sample.</summary>
    public int PixelBytes => Colour switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };

    /// <summary>The filter of a row.</summary>
    public Func<int, byte> Filter { get; init; } = _ => 0;

    /// <summary>The most bytes of an IDAT chunk.</summary>
    public int ChunkBytes { get; init; } = int.MaxValue;

    /// <summary>In seven passes, which have no filters.</summary>
    public bool IsInterlaced { get; init; }

    public CompressionLevel Level { get; init; } = CompressionLevel.Optimal;

    /// <summary>Red, green and blue of each index.</summary>
    public byte[] Palette { get; init; } = [];

    /// <summary>What happens to the filtered rows before they are compressed.</summary>
    public Func<byte[], byte[]> Rows { get; init; } = rows => rows;

    /// <summary>What happens to the compressed data before it goes into chunks.</summary>
    public Func<byte[], byte[]> Data { get; init; } = data => data;

    /// <summary>The picture of these levels, row by row.</summary>
    public byte[] Write(byte[] levels) => Assemble(Data(Compress(Rows(IsInterlaced ? Interlaced(levels) : Filtered(levels)), Level)));

    /// <summary>A picture around data that is already compressed.</summary>
    public byte[] Assemble(byte[] data)
    {
        using var png = new MemoryStream();
        png.Write(PngWalk.Signature);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), Height);
        (header[8], header[9], header[12]) = (8, Colour, IsInterlaced ? (byte)1 : (byte)0);
        PngChunks.Write(png, "IHDR"u8, header);
        if (Palette.Length > 0)
            PngChunks.Write(png, "PLTE"u8, Palette);
        if (data.Length == 0)
            PngChunks.Write(png, "IDAT"u8, []);
        foreach (var piece in data.Chunk(ChunkBytes))
            PngChunks.Write(png, "IDAT"u8, piece);
        PngChunks.Write(png, "IEND"u8, []);
        return png.ToArray();
    }

    public static byte[] Compress(byte[] data, CompressionLevel level)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, level))
            zlib.Write(data);
        return compressed.ToArray();
    }

    /// <summary>The RGB that a reader should see.</summary>
    public byte[] Expected(byte[] levels)
    {
        var rgb = new byte[3 * Width * Height];
        for (var i = 0; i < Width * Height; i++)
        {
            for (var channel = 0; channel < 3; channel++)
            {
                rgb[(3 * i) + channel] = Colour switch
                {
                    3 => Palette[(3 * levels[i]) + channel],
                    2 or 6 => levels[(i * PixelBytes) + channel],
                    _ => levels[i * PixelBytes],
                };
            }
        }

        return rgb;
    }

    private byte[] Filtered(byte[] levels)
    {
        var rowBytes = Width * PixelBytes;
        var filtered = new byte[Height * (rowBytes + 1)];
        for (var y = 0; y < Height; y++)
        {
            var filter = filtered[y * (rowBytes + 1)] = Filter(y);
            for (var i = 0; i < rowBytes; i++)
            {
                int left = i >= PixelBytes ? levels[(y * rowBytes) + i - PixelBytes] : 0;
                int up = y > 0 ? levels[((y - 1) * rowBytes) + i] : 0;
                int upperLeft = y > 0 && i >= PixelBytes ? levels[((y - 1) * rowBytes) + i - PixelBytes] : 0;
                var predicted = filter switch { 1 => left, 2 => up, 3 => (left + up) / 2, 4 => Paeth(left, up, upperLeft), _ => 0 };
                filtered[(y * (rowBytes + 1)) + 1 + i] = (byte)(levels[(y * rowBytes) + i] - predicted);
            }
        }

        return filtered;
    }

    private byte[] Interlaced(byte[] levels)
    {
        using var rows = new MemoryStream();
        foreach (var (left, top, stepX, stepY) in (IEnumerable<(int, int, int, int)>)[(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)])
        {
            for (var y = top; y < Height && left < Width; y += stepY)
            {
                rows.WriteByte(0);
                for (var x = left; x < Width; x += stepX)
                    rows.Write(levels, ((y * Width) + x) * PixelBytes, PixelBytes);
            }
        }

        return rows.ToArray();
    }

    private static int Paeth(int left, int up, int upperLeft)
    {
        var estimate = left + up - upperLeft;
        int distanceLeft = Math.Abs(estimate - left), distanceUp = Math.Abs(estimate - up), distanceUpperLeft = Math.Abs(estimate - upperLeft);
        if (distanceLeft <= distanceUp && distanceLeft <= distanceUpperLeft)
            return left;
        return distanceUp <= distanceUpperLeft ? up : upperLeft;
    }
}
