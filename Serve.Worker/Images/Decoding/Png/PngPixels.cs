using System.Runtime.Intrinsics;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>
/// Rows of levels into rows of RGB as PIL's <c>convert("RGB")</c>: grey three times, alpha dropped and not blended.
/// Up to 16 bytes behind a row of RGB are written too, with what the next row overwrites.
/// </summary>
internal static unsafe class PngPixels
{
    /// <summary>A palette entry that the picture does not have; above the three bytes of a colour.</summary>
    private const uint Missing = 0x0100_0000;

    public static void FromGrey(byte* levels, byte* rgb, int width)
    {
        var x = 0;
        if (width >= Vector128<byte>.Count)
        {
            // The last step goes back to end with the row.
            for (; x < width - Vector128<byte>.Count; x += Vector128<byte>.Count)
                SixteenGreys(levels + x, rgb + (3 * x));
            SixteenGreys(levels + width - Vector128<byte>.Count, rgb + (3 * (width - Vector128<byte>.Count)));
            return;
        }

        for (; x < width; x++)
        {
            rgb[3 * x] = levels[x];
            rgb[(3 * x) + 1] = levels[x];
            rgb[(3 * x) + 2] = levels[x];
        }
    }

    public static void FromGreyAlpha(byte* levels, byte* rgb, int width)
    {
        for (var x = 0; x < width; x++)
        {
            rgb[3 * x] = levels[2 * x];
            rgb[(3 * x) + 1] = levels[2 * x];
            rgb[(3 * x) + 2] = levels[2 * x];
        }
    }

    public static void FromRgba(byte* levels, byte* rgb, int width)
    {
        var x = 0;
        for (; x <= width - 4; x += 4)
        {
            Vector128.Shuffle(Vector128.Load(levels + (4 * x)), Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 0x80, 0x80, 0x80, 0x80))
                .Store(rgb + (3 * x));
        }

        for (; x < width; x++)
            *(uint*)(rgb + (3 * x)) = *(uint*)(levels + (4 * x));
    }

    /// <summary>Samples of 1, 2 or 4 bits, the first in a byte's highest, as levels: black stays 0 and white becomes 255. As palette indexes they stay what they are.</summary>
    public static void Unpack(byte* packed, byte* samples, int count, int bits, bool isIndex)
    {
        var most = (1 << bits) - 1;
        var factor = isIndex ? 1 : 255 / most;
        for (var i = 0; i < count; i++)
        {
            var bit = i * bits;
            samples[i] = (byte)(((packed[bit >> 3] >> (8 - bits - (bit & 7))) & most) * factor);
        }
    }

    /// <summary>The upper eight of samples of 16 bits, as PIL reads colours. Grey ones PIL clips at 255 instead, so that nearly all of them are white; here they are what they look like.</summary>
    public static void UpperHalves(byte* wide, byte* samples, int count)
    {
        for (var i = 0; i < count; i++)
            samples[i] = wide[2 * i];
    }

    /// <summary>A row's pixels go to every so many columns of another.</summary>
    public static void Spread(byte* rgb, byte* to, int count, int step)
    {
        for (var i = 0; i < count; i++, rgb += 3, to += 3 * step)
        {
            to[0] = rgb[0];
            to[1] = rgb[1];
            to[2] = rgb[2];
        }
    }

    /// <summary>False: an index has no entry.</summary>
    public static bool FromPalette(byte* indexes, byte* rgb, int width, ReadOnlySpan<uint> palette)
    {
        var seen = 0u;
        for (var x = 0; x < width; x++)
        {
            var colour = palette[indexes[x]];
            seen |= colour;
            *(uint*)(rgb + (3 * x)) = colour;
        }

        return seen < Missing;
    }

    /// <summary>The palette (PLTE) as 256 entries, those included that it does not have.</summary>
    public static void FillPalette(ReadOnlySpan<byte> chunk, Span<uint> palette)
    {
        palette.Fill(Missing);
        for (var i = 0; i < chunk.Length / 3; i++)
            palette[i] = chunk[3 * i] | ((uint)chunk[(3 * i) + 1] << 8) | ((uint)chunk[(3 * i) + 2] << 16);
    }

    private static void SixteenGreys(byte* levels, byte* rgb)
    {
        var greys = Vector128.Load(levels);
        Vector128.Shuffle(greys, Vector128.Create((byte)0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5)).Store(rgb);
        Vector128.Shuffle(greys, Vector128.Create((byte)5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9, 9, 10, 10)).Store(rgb + 16);
        Vector128.Shuffle(greys, Vector128.Create((byte)10, 11, 11, 11, 12, 12, 12, 13, 13, 13, 14, 14, 14, 15, 15, 15)).Store(rgb + 32);
    }
}
