using System.Runtime.CompilerServices;
using Serve.Worker.Images.Formats;

namespace Serve.Worker.Images.Decoding.Png;

/// <summary>
/// Reads PNGs of all kinds. Chunks and checksums may be fine and half of the pixels missing, which other decoders show as black and say
/// nothing: here the compressed data must be whole and give exactly the picture. (And ImageSharp 2.1.13 never comes back from an
/// interlaced picture of up to four columns.) Hot path: allocates nothing.
/// </summary>
internal sealed unsafe class PngDecoder : IImageDecoder
{
    /// <summary>A look at the token costs less than a row; large rows are many bytes.</summary>
    private const int RowsPerCheck = 16;

    /// <summary>Behind everything that is read or written in whole vectors.</summary>
    private const int SlackBytes = 16;

    [ThreadStatic]
    private static ZlibInflater? _inflater;

    public ImageFormats Formats => ImageFormats.Png;

    public IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, CancellationToken cancellationToken)
    {
        var chunks = new PngChunkList(encoded);
        var layout = new PngLayout(chunks.Header);
        var image = PooledImage.Rent();
        try
        {
            // The zeros stand above the first row, for the filters.
            var zerosBefore = layout.LongestRowBytes + SlackBytes;
            var filtered = Inflate(encoded, chunks, layout, image, zerosBefore, cancellationToken);
            if (layout is { Colour: PngLayout.Rgb, Bits: 8, IsInterlaced: false })
                KeepRows(filtered, filtered - zerosBefore, layout, image, cancellationToken);
            else
                ConvertRows(filtered, filtered - zerosBefore, chunks, layout, image, cancellationToken);
            return image;
        }
        catch (Exception exception)
        {
            image.Dispose();
            if (exception is OutOfMemoryException)
                throw new ImageException("The PNG picture is too large: this machine has no memory for its pixels.", exception);
            throw;
        }
    }

    /// <summary>Rows that are RGB once their filters are undone stay where they are.</summary>
    private static void KeepRows(byte* filtered, byte* zeros, in PngLayout layout, PooledImage image, CancellationToken cancellationToken)
    {
        var stride = layout.LongestRowBytes + 1;
        image.Show(filtered + 1, stride, layout.Width, layout.Height);
        var above = zeros;
        for (var y = 0; y < layout.Height; y++, filtered += stride)
        {
            UndoFilter(filtered, above, layout.LongestRowBytes, y, layout, pass: 0, cancellationToken);
            above = filtered + 1;
        }
    }

    private static void ConvertRows(byte* filtered, byte* zeros, PngChunkList chunks, in PngLayout layout, PooledImage image, CancellationToken cancellationToken)
    {
        nint stride = 3 * layout.Width;
        var pixelBytes = ((long)stride * layout.Height) + SlackBytes;
        var sampleBytes = (layout.Channels * layout.Width) + SlackBytes;
        var pixels = image.Pixels.Reserve(pixelBytes + sampleBytes + stride + SlackBytes);
        image.Show(pixels, stride, layout.Width, layout.Height);
        var row = new RowConverter(layout, chunks.Find("PLTE"u8), samples: pixels + pixelBytes);
        var passPixels = pixels + pixelBytes + sampleBytes;
        for (var pass = 0; pass < layout.PassCount; pass++)
        {
            var part = layout.Pass(pass);
            var above = zeros;
            for (var i = 0; i < part.Rows; i++, filtered += part.RowBytes + 1)
            {
                UndoFilter(filtered, above, part.RowBytes, i, layout, pass, cancellationToken);
                above = filtered + 1;
                var y = part.Top + (i * part.StepY);
                if (!layout.IsInterlaced)
                {
                    row.Convert(above, pixels + (y * stride), part.Columns, y);
                    continue;
                }

                row.Convert(above, passPixels, part.Columns, y);
                PngPixels.Spread(passPixels, pixels + (y * stride) + (3 * part.Left), part.Columns, part.StepX);
            }
        }
    }

    private static void UndoFilter(byte* filtered, byte* above, int rowBytes, int row, in PngLayout layout, int pass, CancellationToken cancellationToken)
    {
        if (row % RowsPerCheck == 0)
            cancellationToken.ThrowIfCancellationRequested();
        var filter = *filtered;
        if (filter > PngFilters.Last)
            throw new ImageException($"The PNG picture is broken: row {row}{(layout.IsInterlaced ? $" of pass {pass + 1}" : "")}, counted from 0, has the filter {filter}, and only 0 to {PngFilters.Last} exist.");
        PngFilters.Undo(filter, filtered + 1, above, rowBytes, layout.PixelBytes);
    }

    private static byte* Inflate(ReadOnlySpan<byte> encoded, PngChunkList chunks, in PngLayout layout, PooledImage image, int zerosBefore, CancellationToken cancellationToken)
    {
        long compressedBytes = 0;
        var pieces = 0;
        var first = default(PngChunkList.Chunk);
        foreach (var chunk in chunks)
        {
            if (!chunks.IsData(chunk))
                continue;
            compressedBytes += chunk.Length;
            first = pieces++ == 0 ? chunk : first;
        }

        // Before memory is taken: a header of nothing can say gigabytes.
        var filteredBytes = layout.FilteredBytes;
        if (filteredBytes > compressedBytes * ZlibInflater.MaxRatio)
            throw new ImageException($"The PNG picture is cut off: its {compressedBytes} bytes of compressed data (IDAT) cannot hold the {filteredBytes} bytes that {layout.Width}x{layout.Height} pixels take.", chunks.FileOffset(compressedBytes));

        var start = image.Intermediate.Reserve(zerosBefore + filteredBytes + ZlibInflater.OutputSlackBytes);
        new Span<byte>(start, zerosBefore).Clear();
        start += zerosBefore;
        fixed (byte* file = encoded)
        {
            var data = file + first.Offset;
            if (pieces > 1 || encoded.Length - first.Offset - first.Length < ZlibInflater.InputSlackBytes)
            {
                // In the buffer for pixels, which come later.
                data = image.Pixels.Reserve(compressedBytes + ZlibInflater.InputSlackBytes);
                Join(chunks, file, data);
            }

            var result = (_inflater ??= new ZlibInflater()).Inflate(data, compressedBytes, start, filteredBytes, cancellationToken);
            if (result.Status != InflateStatus.Done)
                throw Refusal(result, compressedBytes, filteredBytes, layout, chunks);
        }

        return start;
    }

    private static void Join(PngChunkList chunks, byte* file, byte* data)
    {
        foreach (var chunk in chunks)
        {
            if (!chunks.IsData(chunk))
                continue;
            Buffer.MemoryCopy(file + chunk.Offset, data, chunk.Length, chunk.Length);
            data += chunk.Length;
        }

        new Span<byte>(data, ZlibInflater.InputSlackBytes).Clear();
    }

    private static ImageException Refusal(in InflateResult result, long compressedBytes, long filteredBytes, in PngLayout layout, PngChunkList chunks)
    {
        var offset = chunks.FileOffset(result.InputOffset);
        var size = $"{filteredBytes} bytes that {layout.Width}x{layout.Height} pixels take";
        return result.Status switch
        {
            InflateStatus.EndsEarly => new ImageException($"The PNG picture is cut off: its {compressedBytes} bytes of compressed data (IDAT) end at byte {chunks.FileOffset(compressedBytes)} of the file, after {result.OutputBytes} of the {size}.", chunks.FileOffset(compressedBytes)),
            InflateStatus.TooShort => Broken($"its compressed data ends after {result.OutputBytes} of the {size}"),
            InflateStatus.TooLong => Broken($"its compressed data gives more than the {size}"),
            InflateStatus.TrailingBytes => Broken($"{compressedBytes - result.InputOffset} bytes follow the end of its compressed data"),
            InflateStatus.BadHeader => Broken("its compressed data does not begin as zlib data"),
            InflateStatus.BadBlockType => Broken("its compressed data has a block of a type that does not exist"),
            InflateStatus.BadStoredLength => Broken("its compressed data has a stored block whose length contradicts its complement"),
            InflateStatus.BadCode => Broken("its compressed data has a block with an impossible code"),
            InflateStatus.BadSymbol => Broken("its compressed data has a code that stands for nothing"),
            InflateStatus.BadDistance => Broken("its compressed data refers to bytes before its beginning"),
            _ => Broken("the checksum of its pixels (Adler-32) does not fit them"),
        };

        ImageException Broken(string what) => new($"The PNG picture is broken at byte {offset}: {what}.", offset);
    }

    /// <summary>Levels of any kind into RGB, row by row.</summary>
    private ref struct RowConverter
    {
        private readonly PngLayout _layout;
        private readonly byte* _samples;
        private readonly int _colours;
        private Palette _palette;

        public RowConverter(in PngLayout layout, ReadOnlySpan<byte> palette, byte* samples)
        {
            _layout = layout;
            _samples = samples;
            _colours = palette.Length / 3;
            if (layout.Colour == PngLayout.Palette)
                PngPixels.FillPalette(palette, _palette);
        }

        public void Convert(byte* row, byte* rgb, int columns, int y)
        {
            if (_layout.Bits == 16)
                PngPixels.UpperHalves(row, _samples, columns * _layout.Channels);
            else if (_layout.Bits < 8)
                PngPixels.Unpack(row, _samples, columns, _layout.Bits, isIndex: _layout.Colour == PngLayout.Palette);

            var samples = _layout.Bits == 8 ? row : _samples;
            switch (_layout.Colour)
            {
                case PngLayout.Grey:
                    PngPixels.FromGrey(samples, rgb, columns);
                    break;
                case PngLayout.Rgb:
                    Unsafe.CopyBlockUnaligned(rgb, samples, (uint)(3 * columns));
                    break;
                case PngLayout.GreyAlpha:
                    PngPixels.FromGreyAlpha(samples, rgb, columns);
                    break;
                case PngLayout.Rgba:
                    PngPixels.FromRgba(samples, rgb, columns);
                    break;
                default:
                    if (!PngPixels.FromPalette(samples, rgb, columns, _palette))
                        throw OutsidePalette(new ReadOnlySpan<byte>(samples, columns), y);
                    break;
            }
        }

        private readonly ImageException OutsidePalette(ReadOnlySpan<byte> indexes, int y)
        {
            var column = indexes.IndexOfAnyInRange((byte)_colours, (byte)255);
            return new ImageException($"The PNG picture is broken: pixel {column} of row {y}, counted from 0, has colour {indexes[column]} of a palette of {_colours}.");
        }
    }

    [InlineArray(256)]
    private struct Palette
    {
        private uint _first;
    }
}
