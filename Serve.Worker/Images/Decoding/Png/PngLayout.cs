using System.Buffers.Binary;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>What a PNG's header (IHDR) says about how its pixels are stored.</summary>
internal readonly record struct PngLayout
{
    public const byte Grey = 0;
    public const byte Rgb = 2;
    public const byte Palette = 3;
    public const byte GreyAlpha = 4;
    public const byte Rgba = 6;

    /// <summary>Adam7: the left and upper edge of each pass, and its steps.</summary>
    private static readonly (int X, int Y, int StepX, int StepY)[] Adam7 =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    public PngLayout(ReadOnlySpan<byte> header)
    {
        Width = BinaryPrimitives.ReadInt32BigEndian(header);
        Height = BinaryPrimitives.ReadInt32BigEndian(header[4..]);
        Bits = header[8];
        Colour = header[9];
        IsInterlaced = header[12] != 0;
    }

    public int Width { get; }

    public int Height { get; }

    /// <summary>Bits of one sample.</summary>
    public int Bits { get; }

    /// <summary>The colour type: one of the constants.</summary>
    public byte Colour { get; }

    public bool IsInterlaced { get; }

    public int Channels => Colour switch { Rgb => 3, GreyAlpha => 2, Rgba => 4, _ => 1 };

    /// <summary>Bytes of a pixel, as far as filters are concerned: 1 where it is smaller.</summary>
    public int PixelBytes => Math.Max(1, Channels * Bits / 8);

    /// <summary>Bytes of the longest row, without that of its filter.</summary>
    public int LongestRowBytes => RowBytes(Width);

    /// <summary>Bytes of all rows with the byte of each that names its filter: what the compressed data gives.</summary>
    public long FilteredBytes
    {
        get
        {
            var bytes = 0L;
            for (var pass = 0; pass < PassCount; pass++)
            {
                var part = Pass(pass);
                bytes += part.Rows * (1L + part.RowBytes);
            }

            return bytes;
        }
    }

    /// <summary>1, or 7 when interlaced.</summary>
    public int PassCount => IsInterlaced ? Adam7.Length : 1;

    /// <summary>The pixels of a pass. One without columns has no rows.</summary>
    public PngPass Pass(int pass)
    {
        if (!IsInterlaced)
            return new PngPass(0, 0, 1, 1, Width, Height, RowBytes(Width));
        var (x, y, stepX, stepY) = Adam7[pass];
        var columns = Math.Max(0, (Width - x + stepX - 1) / stepX);
        var rows = columns == 0 ? 0 : Math.Max(0, (Height - y + stepY - 1) / stepY);
        return new PngPass(x, y, stepX, stepY, columns, rows, RowBytes(columns));
    }

    private int RowBytes(int columns) => (int)((((long)columns * Channels * Bits) + 7) / 8);
}

/// <summary>Every so many columns of every so many rows of a picture.</summary>
internal readonly record struct PngPass(int Left, int Top, int StepX, int StepY, int Columns, int Rows, int RowBytes);
