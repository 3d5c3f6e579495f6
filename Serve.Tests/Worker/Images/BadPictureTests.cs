using Serve.Worker.Images;

namespace Serve.Tests.Worker.Images;

/// <summary>What strangers send by mistake or on purpose.</summary>
public sealed class BadPictureTests
{
    private static readonly ImagePreprocessor Preprocessor = new(Pictures.Cropped(256, 224));

    [Theory]
    [InlineData("bit-rot.jpg", "The JPEG picture is broken at byte 398: a Huffman table has more codes than can exist.")]
    [InlineData("bomb-2gigapixel.png", "The PNG picture is too large: its header at byte 16 says 2147483647x1, and no side may be longer than 65535 pixels.")]
    [InlineData("bomb-65000x65000.png", "The PNG picture is too large: its header at byte 16 says 65000x65000 = 4225000000 pixels, and at most 89478485 (maxImagePixels) are decoded.")]
    [InlineData("cut-at-99-percent.jpg", "The JPEG picture is cut off: its 15862 bytes end inside the data of scan 1, which starts at byte 609, before the end-of-image marker.")]
    [InlineData("empty.jpg", "The picture is empty: 0 bytes were sent.")]
    [InlineData("html.png", "The 44 bytes are not a picture that can be decoded: they look like an HTML page, perhaps an error page saved in the picture's place. JPEG, PNG, GIF, WebP, BMP and TIFF can be.")]
    [InlineData("magic-only.jpg", "The JPEG picture is cut off: its 3 bytes end before the end-of-image marker.")]
    [InlineData("multi-idat-cut-after-chunk.png", "The PNG picture is cut off: its 49329 bytes end before the IEND chunk, 0 bytes into the chunk at byte 49329.")]
    [InlineData("no-eoi.jpg", "The JPEG picture is cut off: its 15876 bytes end inside the data of scan 1, which starts at byte 609, before the end-of-image marker.")]
    [InlineData("random-4k.jpg", "The 4096 bytes are not a picture that can be decoded: they begin with the bytes")]
    [InlineData("random-after-magic.jpg", "The JPEG picture is cut off: its 4100 bytes end inside a segment (at byte")]
    [InlineData("scan-bomb-1000.jpg", "it has more than 100 scans, which only costs time.")]
    [InlineData("text.jpg", "The 840 bytes are not a picture that can be decoded: they look like plain text.")]
    [InlineData("truncated-half.jpg", "The JPEG picture is cut off: its 3856 bytes end inside the data of scan 1, which starts at byte 609, before the end-of-image marker.")]
    [InlineData("truncated-header.jpg", "The JPEG picture is cut off: its 20 bytes end before the end-of-image marker.")]
    [InlineData("truncated.png", "The PNG picture is cut off: its 21622 bytes end inside the IDAT chunk of")]
    [InlineData("wrong-crc.png", "has the checksum")]
    [InlineData("zero-width.png", "The PNG picture has no pixels: its header at byte 16 says 0x10.")]
    [InlineData("zip.png", "they look like a ZIP archive")]
    public void A_bad_picture_is_refused_with_what_is_wrong_and_where(string name, string message)
    {
        var refused = Assert.Throws<ImageException>(() => Preprocessor.Preprocess(Pictures.Read($"bad/{name}")));

        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
        Assert.Equal(400, refused.Status);
    }

    [Fact]
    public void Every_bad_file_is_in_the_list_above() =>
        Assert.Equal(
            Pictures.Names("bad"),
            typeof(BadPictureTests).GetMethod(nameof(A_bad_picture_is_refused_with_what_is_wrong_and_where))!
                .GetCustomAttributes(typeof(InlineDataAttribute), false).Cast<InlineDataAttribute>().Select(data => (string)data.Data[0]!));

    [Fact]
    public void Refusing_allocates_no_pixels()
    {
        foreach (var name in Pictures.Names("bad"))
        {
            var bytes = Pictures.Read($"bad/{name}");
            var destination = new byte[Preprocessor.OutputBytes];
            Refuse(bytes, destination);
            var before = GC.GetAllocatedBytesForCurrentThread();
            Refuse(bytes, destination);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024);
        }

        static void Refuse(byte[] bytes, byte[] destination) =>
            Assert.Throws<ImageException>(() => Preprocessor.Preprocess(bytes, destination, CancellationToken.None));
    }

    [Fact]
    public void A_good_picture_right_after_each_bad_one_is_as_good_as_ever()
    {
        var photo = Pictures.Read("photos/chelsea.jpg");
        var expected = Preprocessor.Preprocess(photo);
        foreach (var name in Pictures.Names("bad"))
        {
            Assert.Throws<ImageException>(() => Preprocessor.Preprocess(Pictures.Read($"bad/{name}")));
            Assert.Equal(expected, Preprocessor.Preprocess(photo));
        }
    }

    [Theory]
    [InlineData("data:image/png;base64,iVBORw0KGgo=", "data: URL")]
    [InlineData("/9j/4AAQSkZJRgABAQ", "base64")]
    [InlineData("{\"instances\": []}", "JSON")]
    [InlineData("<svg xmlns=\"\">", "SVG")]
    [InlineData("%PDF-1.7", "PDF")]
    [InlineData("\0\0\0\u001cftypheic\0\0\0\0", "HEIC, AVIF or video file (brand 'heic')")]
    [InlineData("GIF8", "only the beginning of a GIF signature")]
    public void What_is_no_picture_is_called_by_its_name(string content, string name)
    {
        var refused = Assert.Throws<ImageException>(() => Preprocessor.Preprocess(System.Text.Encoding.Latin1.GetBytes(content)));

        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_pixels_than_the_model_allows_are_refused_before_decoding()
    {
        var preprocessor = new ImagePreprocessor(Pictures.Cropped(32, 32) with { Limits = new ImageLimits { MaxImagePixels = (180 * 120) - 1 } });

        foreach (var name in (string[])["rgb.png", "baseline-420.jpg", "still.gif", "lossy.webp", "lossless.webp", "rgb.bmp", "lzw.tiff"])
        {
            var refused = Assert.Throws<ImageException>(() => preprocessor.Preprocess(Pictures.Read($"formats/{name}")));
            Assert.Contains("180x120 = 21600 pixels, and at most 21599 (maxImagePixels)", refused.Message, StringComparison.Ordinal);
        }
    }
}
