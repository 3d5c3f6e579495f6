using System.IO.Compression;
using Serve.Worker.Images;
using Serve.Worker.Images.Decoding;
using Serve.Worker.Images.Decoding.Png;
using Serve.Worker.Images.Formats;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.PixelFormats;

namespace Serve.Tests.Worker.Images.Png;

public sealed class PngDecoderTests
{
    private static readonly ImageLimits Limits = new();
    private static readonly Serve.Worker.Images.Decoding.Png.PngDecoder Decoder = new();
    private static readonly byte[] Colours = [0, 2, 3, 4, 6];

    public static TheoryData<byte> ColourTypes() => [.. Colours];

    [Theory]
    [MemberData(nameof(ColourTypes))]
    public void Every_filter_at_every_width_gives_the_levels_back(byte colour)
    {
        var random = new Random(colour);
        for (var width = 1; width <= 70; width++)
        {
            for (byte filter = 0; filter <= 5; filter++)
            {
                var writer = new PngWriter(width, 5, colour)
                {
                    Palette = colour == 3 ? Bytes(random, 768) : [],
                    Filter = row => filter == 5 ? (byte)((row + width) % 5) : filter,
                    ChunkBytes = random.Next(2) == 0 ? int.MaxValue : 1 + random.Next(40),
                    Level = (CompressionLevel)random.Next(4),
                };
                var levels = Bytes(random, width * 5 * writer.PixelBytes);
                Assert.Equal(writer.Expected(levels), Decode(writer.Write(levels)));
            }
        }
    }

    [Fact]
    public void Random_pictures_are_those_that_ImageSharp_reads()
    {
        var random = new Random(6);
        for (var i = 0; i < 60; i++)
        {
            var colour = Colours[random.Next(Colours.Length)];
            var filters = Bytes(random, 200);
            var writer = new PngWriter(1 + random.Next(200), 1 + random.Next(100), colour)
            {
                Palette = colour == 3 ? Bytes(random, 768) : [],
                Filter = row => (byte)(filters[row] % 5),
                ChunkBytes = 1 + random.Next(5000),
            };
            var levels = Smooth(random, writer.Width * writer.Height * writer.PixelBytes);
            var png = writer.Write(levels);

            using var reference = Image.Load<Rgb24>(png);
            var expected = new byte[3 * writer.Width * writer.Height];
            reference.CopyPixelDataTo(expected);
            Assert.Equal(expected, Decode(png));
        }
    }

    [Fact]
    public void All_depths_with_and_without_passes_are_those_that_ImageSharp_reads()
    {
        using var image = Image.LoadPixelData<Rgb24>(Pictures.Noise(37, 23, 5), 37, 23);
        foreach (var (colour, depths) in (IEnumerable<(PngColorType, PngBitDepth[])>)[
            (PngColorType.Grayscale, [PngBitDepth.Bit1, PngBitDepth.Bit2, PngBitDepth.Bit4, PngBitDepth.Bit8, PngBitDepth.Bit16]),
            (PngColorType.Palette, [PngBitDepth.Bit1, PngBitDepth.Bit2, PngBitDepth.Bit4, PngBitDepth.Bit8]),
            (PngColorType.Rgb, [PngBitDepth.Bit8, PngBitDepth.Bit16]),
            (PngColorType.GrayscaleWithAlpha, [PngBitDepth.Bit8, PngBitDepth.Bit16]),
            (PngColorType.RgbWithAlpha, [PngBitDepth.Bit8, PngBitDepth.Bit16])])
        {
            foreach (var depth in depths)
            {
                foreach (var interlace in Enum.GetValues<PngInterlaceMode>())
                {
                    using var stream = new MemoryStream();
                    image.SaveAsPng(stream, new PngEncoder { ColorType = colour, BitDepth = depth, InterlaceMethod = interlace, FilterMethod = PngFilterMethod.Adaptive });
                    using var reference = Image.Load<Rgb24>(stream.ToArray());
                    var expected = new byte[3 * 37 * 23];
                    reference.CopyPixelDataTo(expected);

                    // ImageSharp rounds 16 bits to 8, we keep the upper ones, as PIL does of colours.
                    var (max, _) = Pictures.Difference(expected, Decode(stream.ToArray()));
                    Assert.Equal((colour, depth, interlace, true), (colour, depth, interlace, max <= (depth == PngBitDepth.Bit16 ? 1 : 0)));
                }
            }
        }
    }

    [Fact]
    public void Colours_that_are_declared_transparent_stay_as_they_are()
    {
        foreach (var (colour, transparent) in (IEnumerable<(byte, byte[])>)[(0, [0, 7]), (2, [0, 1, 0, 2, 0, 3]), (3, [0, 128])])
        {
            var random = new Random(9);
            var writer = new PngWriter(20, 20, colour) { Palette = colour == 3 ? Bytes(random, 768) : [] };
            var levels = Bytes(random, 400 * writer.PixelBytes);
            var png = writer.Write(levels);
            using var chunk = new MemoryStream();
            PngChunks.Write(chunk, "tRNS"u8, transparent);
            var data = png.AsSpan().IndexOf("IDAT"u8) - 4;

            Assert.Equal(writer.Expected(levels), Decode([.. png.AsSpan(0, data), .. chunk.ToArray(), .. png.AsSpan(data)]));
        }
    }

    [Fact]
    public void Data_that_ends_early_is_refused_at_every_byte_though_all_chunks_are_fine()
    {
        foreach (var colour in Colours)
        {
            var writer = new PngWriter(11, 9, colour) { Palette = colour == 3 ? new byte[768] : [], Filter = row => (byte)(row % 5), ChunkBytes = 50 };
            var levels = Bytes(new Random(1), 99 * writer.PixelBytes);
            var length = 0;
            writer.Write(levels);
            _ = (writer with { Data = data => data[..(length = data.Length)] }).Write(levels);
            for (var cut = 0; cut < length; cut++)
            {
                var refused = Refused((writer with { Data = data => data[..cut] }).Write(levels));
                Assert.StartsWith("The PNG picture is cut off: its", refused.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void The_refusal_says_what_is_wrong_and_where()
    {
        var writer = new PngWriter(10, 10, 2);
        var levels = Bytes(new Random(2), 300);

        Assert.Equal(
            "The PNG picture is cut off: its 200 bytes of compressed data (IDAT) end at byte 241 of the file, after 193 of the 310 bytes that 10x10 pixels take.",
            Refused((writer with { Level = CompressionLevel.NoCompression, Data = data => data[..200] }).Write(levels)).Message);
        Assert.Equal(
            "The PNG picture is cut off: its 0 bytes of compressed data (IDAT) cannot hold the 310 bytes that 10x10 pixels take.",
            Refused((writer with { Data = _ => [] }).Write(levels)).Message);
        Assert.Contains(
            "its compressed data ends after 309 of the 310 bytes that 10x10 pixels take.",
            Refused((writer with { Rows = rows => rows[..^1] }).Write(levels)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "its compressed data gives more than the 310 bytes that 10x10 pixels take.",
            Refused((writer with { Rows = rows => [.. rows, 0] }).Write(levels)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "3 bytes follow the end of its compressed data.",
            Refused((writer with { Data = data => [.. data, 1, 2, 3] }).Write(levels)).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "the checksum of its pixels (Adler-32) does not fit them.",
            Refused((writer with { Data = data => [.. data[..^1], (byte)(data[^1] ^ 1)] }).Write(levels)).Message,
            StringComparison.Ordinal);
        Assert.Equal(
            "The PNG picture is broken: row 7, counted from 0, has the filter 9, and only 0 to 4 exist.",
            Refused((writer with { Rows = rows => [.. rows[..217], 9, .. rows[218..]] }).Write(levels)).Message);
        Assert.Equal(
            "The PNG picture is broken: pixel 3 of row 1, counted from 0, has colour 2 of a palette of 2.",
            Refused((new PngWriter(4, 2, 3) { Palette = new byte[6] }).Write([0, 1, 0, 1, 1, 0, 0, 2])).Message);

        var offset = writer.Write(levels).AsSpan().IndexOf("IDAT"u8) + 4;
        Assert.Equal(offset, Refused((writer with { Data = data => [0, .. data[1..]] }).Write(levels)).ByteOffset);
    }

    [Theory]
    [InlineData("gray16.png")]
    [InlineData("one-bit.png")]
    [InlineData("wide.png")]
    [InlineData("palette.png")]
    [InlineData("gray-alpha.png")]
    public void Pictures_of_all_kinds_are_held_to_the_same(string name)
    {
        var png = Pictures.Read($"formats/{name}");
        var chunks = new PngChunkList(png);
        var data = chunks.Find("IDAT"u8).ToArray();
        using var zlib = new ZLibStream(new MemoryStream(data), CompressionMode.Decompress);
        using var inflated = new MemoryStream();
        zlib.CopyTo(inflated);
        var rows = inflated.ToArray();

        var whole = Decode(png);
        Assert.Equal(whole, Decode(With(png, PngWriter.Compress(rows, CompressionLevel.Optimal))));
        Assert.Contains("ends after", Refused(With(png, PngWriter.Compress(rows[..^1], CompressionLevel.Optimal))).Message, StringComparison.Ordinal);
        Assert.Contains("more than", Refused(With(png, PngWriter.Compress([.. rows, 0], CompressionLevel.Optimal))).Message, StringComparison.Ordinal);
        Assert.Contains("filter 5", Refused(With(png, PngWriter.Compress([5, .. rows[1..]], CompressionLevel.Optimal))).Message, StringComparison.Ordinal);
        for (var cut = 0; cut < data.Length; cut += 1 + (data.Length / 200))
            Assert.Contains("cut off", Refused(With(png, data[..cut])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_interlaced_picture_is_read_when_whole_and_refused_otherwise()
    {
        for (var width = 1; width < 12; width++)
        {
            for (var height = 1; height < 12; height++)
            {
                var writer = new PngWriter(width, height, 2) { IsInterlaced = true };
                var levels = Bytes(new Random(width), 3 * width * height);

                Assert.Equal(levels, Decode(writer.Write(levels)));
                Assert.Contains("cut off", Refused((writer with { Data = data => data[..^5] }).Write(levels)).Message, StringComparison.Ordinal);
                Assert.Contains("ends after", Refused((writer with { Rows = rows => rows[..^1] }).Write(levels)).Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Two_pictures_at_once_on_one_thread_do_not_share_memory()
    {
        var first = new PngWriter(30, 20, 0).Write(Bytes(new Random(1), 600));
        var second = new PngWriter(30, 20, 0).Write(Bytes(new Random(2), 600));
        var expected = Decode(first);

        using var image = Decoder.Decode(first, ImageInspector.Inspect(first, Limits), CancellationToken.None);
        using (Decoder.Decode(second, ImageInspector.Inspect(second, Limits), CancellationToken.None))
            Assert.Equal(expected, Rows(image));
        Decode(second);

        Assert.Equal(expected, Rows(image));
    }

    [Fact]
    public void Rows_are_gone_after_disposal()
    {
        var png = new PngWriter(3, 3, 0).Write(new byte[9]);
        var image = Decoder.Decode(png, ImageInspector.Inspect(png, Limits), CancellationToken.None);
        image.Dispose();
        image.Dispose();

        Assert.Throws<ObjectDisposedException>(() => image.Row(0).Length);
    }

    [Fact]
    public void A_picture_costs_no_garbage()
    {
        var preprocessor = new ImagePreprocessor(Pictures.PlainPixels(28, 28));
        var png = new PngWriter(28, 28, 0) { Filter = row => (byte)(row % 5) }.Write(Bytes(new Random(1), 784));
        var destination = new byte[preprocessor.OutputBytes];
        for (var i = 0; i < 3; i++)
            preprocessor.Preprocess(png, destination, CancellationToken.None);

        var before = GC.GetAllocatedBytesForCurrentThread();
        preprocessor.Preprocess(png, destination, CancellationToken.None);

        // The runtime may box an enum's key as long as a method is not optimized.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64);
    }

    private static byte[] Decode(byte[] png)
    {
        using var image = Decoder.Decode(png, ImageInspector.Inspect(png, Limits), CancellationToken.None);
        return Rows(image);
    }

    private static byte[] Rows(IDecodedImage image)
    {
        var rgb = new byte[3 * image.Width * image.Height];
        for (var y = 0; y < image.Height; y++)
            image.Row(y).CopyTo(rgb.AsSpan(3 * image.Width * y));
        return rgb;
    }

    private static ImageException Refused(byte[] png) => Assert.Throws<ImageException>(() => Decode(png));

    /// <summary>The same picture with other compressed data, in one chunk.</summary>
    private static byte[] With(byte[] png, byte[] data)
    {
        using var output = new MemoryStream();
        output.Write(png, 0, 8);
        var written = false;
        foreach (var chunk in new PngChunkList(png))
        {
            var isData = png.AsSpan(chunk.Offset - 4, 4).SequenceEqual("IDAT"u8);
            if (!isData || !written)
                PngChunks.Write(output, png.AsSpan(chunk.Offset - 4, 4), isData ? data : png.AsSpan(chunk.Offset, chunk.Length));
            written |= isData;
        }

        return output.ToArray();
    }

    private static byte[] Bytes(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Smooth(Random random, int length)
    {
        var bytes = new byte[length];
        for (var i = 1; i < length; i++)
            bytes[i] = (byte)(bytes[i - 1] + random.Next(-2, 3));
        return bytes;
    }
}
