using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

/// <summary>A half-grey picture must not be classified: whatever is cut off is refused.</summary>
public sealed class TruncationTests
{
    [Theory]
    [InlineData("formats/baseline-420.jpg")]
    [InlineData("formats/progressive.jpg")]
    [InlineData("formats/cmyk.jpg")]
    [InlineData("formats/exif-rotated.jpg")]
    [InlineData("photos/chelsea.jpg")]
    [InlineData("formats/rgb.png")]
    [InlineData("formats/palette.png")]
    [InlineData("formats/one-pixel.png")]
    [InlineData("formats/still.gif")]
    [InlineData("formats/lossless.webp")]
    [InlineData("formats/lossy.webp")]
    [InlineData("formats/rgb.bmp")]
    public void A_picture_cut_at_any_byte_is_refused(string name)
    {
        var whole = Pictures.Read(name);
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(32, 32));
        preprocessor.Preprocess(whole);

        // Both ends byte by byte, and a prime step between them.
        IEnumerable<int> cuts = [.. Enumerable.Range(0, Math.Min(700, whole.Length)), .. Range(700, whole.Length, 37), .. Range(whole.Length - 64, whole.Length, 1)];
        foreach (var cut in cuts.Where(cut => cut >= 0))
            Assert.True(IsRefused(preprocessor, whole.AsSpan(0, cut)), $"{name} cut at byte {cut} of {whole.Length} was accepted");
    }

    [Fact]
    public void A_png_of_many_data_chunks_is_refused_wherever_it_is_cut()
    {
        var whole = ManyChunks(Pictures.Read("formats/rgb.png"), 512);
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(32, 32));
        Assert.Equal(preprocessor.Preprocess(Pictures.Read("formats/rgb.png")), preprocessor.Preprocess(whole));

        foreach (var cut in Range(0, whole.Length, 7))
            Assert.True(IsRefused(preprocessor, whole.AsSpan(0, cut)), $"cut at byte {cut} was accepted");
    }

    [Fact]
    public void A_tiff_cut_in_its_pixels_is_refused_for_that()
    {
        var whole = Pictures.Read("formats/lzw.tiff");
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(32, 32));
        preprocessor.Preprocess(whole);

        foreach (var cut in Range(0, whole.Length, 101).Append(whole.Length - 1))
            Assert.True(IsRefused(preprocessor, whole.AsSpan(0, cut)), $"cut at byte {cut} of {whole.Length} was accepted");
    }

    [Fact]
    public void Bytes_behind_a_whole_picture_do_no_harm()
    {
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(32, 32));
        foreach (var name in (string[])["baseline-420.jpg", "rgb.png", "still.gif", "rgb.bmp"])
        {
            var whole = Pictures.Read($"formats/{name}");
            Assert.Equal(preprocessor.Preprocess(whole), preprocessor.Preprocess([.. whole, .. new byte[100]]));
        }
    }

    private static IEnumerable<int> Range(int from, int to, int step)
    {
        for (var i = from; i < to; i += step)
            yield return i;
    }

    private static bool IsRefused(ImagePreprocessor preprocessor, ReadOnlySpan<byte> bytes)
    {
        try
        {
            preprocessor.Preprocess(bytes, new byte[preprocessor.OutputBytes], CancellationToken.None);
            return false;
        }
        catch (ImageException)
        {
            return true;
        }
    }

    /// <summary>The same PNG with its picture data in pieces, as encoders that stream write it.</summary>
    private static byte[] ManyChunks(byte[] png, int piece)
    {
        using var output = new MemoryStream();
        output.Write(png, 0, 8);
        for (var position = 8; position < png.Length;)
        {
            var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(position));
            var type = png.AsSpan(position + 4, 4).ToArray();
            var content = png.AsSpan(position + 8, length).ToArray();
            var pieces = type.AsSpan().SequenceEqual("IDAT"u8) ? content.Chunk(piece) : [content];
            foreach (var part in pieces)
                PngChunks.Write(output, type, part);
            position += 12 + length;
        }

        return output.ToArray();
    }
}
