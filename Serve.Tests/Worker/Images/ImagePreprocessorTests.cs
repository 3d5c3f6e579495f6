using System.Text;
using Serve.Core.Configuration;
using Serve.Worker.Images;
using Serve.Worker.Images.Decoding;
using Serve.Worker.Images.Formats;
using Serve.Worker.Images.Resampling;

namespace Serve.Tests.Worker.Images;

public sealed class ImagePreprocessorTests
{
    private static readonly ImagePreprocessing ImageNet = new() { ResizeShorterSide = 256, Crop = (224, 224), Mean = [0.485, 0.456, 0.406], Std = [0.229, 0.224, 0.225] };

    [Fact]
    public void A_decoder_that_never_ends_is_stopped_at_the_time_limit()
    {
        var preprocessor = new ImagePreprocessor(ImageNet with { Limits = new ImageLimits { DecodeTimeout = TimeSpan.FromMilliseconds(20) } }, [new FakeDecoder(WaitForEver)]);

        var refused = Assert.Throws<ImageException>(() => preprocessor.Preprocess(Pictures.Read("formats/rgb.png")));

        Assert.Equal("The PNG picture of 180x120 pixels takes more than 20 ms (decodeTimeout) to decode.", refused.Message);
    }

    [Fact]
    public void The_real_decoder_stops_at_the_time_limit_in_every_format()
    {
        using var expired = new CancellationTokenSource();
        expired.Cancel();
        var limits = new ImageLimits();
        var decoder = new ImageSharpDecoder(limits);
        foreach (var name in (string[])["baseline-420.jpg", "progressive.jpg", "rgb.png", "still.gif", "lossy.webp", "lossless.webp", "rgb.bmp", "lzw.tiff"])
        {
            var bytes = Pictures.Read($"formats/{name}");
            Assert.ThrowsAny<OperationCanceledException>(() => decoder.Decode(bytes, ImageInspector.Inspect(bytes, limits), expired.Token));
        }
    }

    [Fact]
    public void A_request_that_ends_while_decoding_is_cancelled_and_not_blamed_on_the_picture()
    {
        using var request = new CancellationTokenSource();
        var preprocessor = new ImagePreprocessor(ImageNet, [new FakeDecoder(token =>
        {
            request.Cancel();
            return WaitForEver(token);
        })]);

        Assert.Throws<OperationCanceledException>(() => preprocessor.Preprocess(Pictures.Read("formats/rgb.png"), request.Token));

        // And the thread's next picture is not hurt by it.
        new ImagePreprocessor(ImageNet).Preprocess(Pictures.Read("formats/rgb.png"));
    }

    [Fact]
    public void Whatever_a_decoder_throws_is_the_picture_s_fault()
    {
        // A palette index far outside the palette and a filter that does not exist, behind correct checksums.
        using var png = new MemoryStream();
        png.Write(PngWalk.Signature);
        PngChunks.Write(png, "IHDR"u8, [0, 0, 0, 2, 0, 0, 0, 2, 8, 3, 0, 0, 0]);
        PngChunks.Write(png, "PLTE"u8, [1, 2, 3]);
        PngChunks.Write(png, "IDAT"u8, [0x78, 0x01, 1, 6, 0, 0xF9, 0xFF, 99, 200, 201, 98, 255, 254]);
        PngChunks.Write(png, "IEND"u8, []);

        var refused = Assert.Throws<ImageException>(() => new ImagePreprocessor(ImageNet, [new ImageSharpDecoder(new ImageLimits())]).Preprocess(png.ToArray()));

        Assert.StartsWith("The PNG picture is broken: ", refused.Message, StringComparison.Ordinal);
        Assert.NotNull(refused.InnerException);
    }

    [Fact]
    public void Many_threads_share_one_preprocessor()
    {
        var preprocessor = new ImagePreprocessor(ImageNet);
        var names = (string[])["photos/chelsea.jpg", "photos/coffee.jpg", "formats/rgb.png", "formats/tall.jpg", "bad/truncated-half.jpg", "formats/wide.png"];
        var expected = names.Select(TensorOrRefusal).ToArray();

        Parallel.For(0, 120, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
            Assert.Equal(expected[i % names.Length], TensorOrRefusal(names[i % names.Length])));

        byte[] TensorOrRefusal(string name)
        {
            try
            {
                return preprocessor.Preprocess(Pictures.Read(name));
            }
            catch (ImageException refused)
            {
                return Encoding.UTF8.GetBytes(refused.Message);
            }
        }
    }

    [Theory]
    [InlineData("photos/chelsea.jpg", 18_000)]
    [InlineData("formats/rgb.png", 64)]
    [InlineData("formats/palette.png", 64)]
    public void A_picture_costs_little_garbage(string name, int maxBytes)
    {
        var preprocessor = new ImagePreprocessor(ImageNet);
        var bytes = Pictures.Read(name);
        var destination = new byte[preprocessor.OutputBytes];
        for (var i = 0; i < 3; i++)
            preprocessor.Preprocess(bytes, destination, CancellationToken.None);

        var before = GC.GetAllocatedBytesForCurrentThread();
        preprocessor.Preprocess(bytes, destination, CancellationToken.None);

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, maxBytes);
    }

    [Fact]
    public void Pictures_of_all_sizes_leave_a_bounded_cache()
    {
        var cache = new AxisPlanCache(maxPlans: 10, maxBytes: 200_000);
        for (var size = 225; size < 1225; size++)
        {
            cache.Get(AxisGeometry.Create(size, 224, 224), Interpolation.Bilinear);
            Assert.InRange(cache.Count, 1, 10);
            Assert.InRange(cache.SizeBytes, 1, 200_000);
        }
    }

    [Fact]
    public void The_plans_used_last_stay()
    {
        var cache = new AxisPlanCache(maxPlans: 2);
        var first = Get(300);
        Get(301);
        Assert.Same(first, Get(300));
        Get(302);

        Assert.Same(first, Get(300));

        AxisPlan Get(int size) => cache.Get(AxisGeometry.Create(size, 224, 224), Interpolation.Bilinear);
    }

    [Fact]
    public void A_plan_larger_than_the_cache_is_made_and_not_kept()
    {
        var cache = new AxisPlanCache(maxBytes: 1000);

        Assert.NotEmpty(cache.Get(AxisGeometry.Create(5000, 224, 224), Interpolation.Bicubic).Weights);
        Assert.Equal(0, cache.Count);
    }

    [Fact]
    public void Warming_up_passes_whatever_the_limits()
    {
        new ImagePreprocessor(ImageNet).WarmUp(2);
        new ImagePreprocessor(ImageNet with { Limits = new ImageLimits { Formats = ImageFormats.Gif, MaxImagePixels = 1 } }).WarmUp(2);
    }

    [Theory]
    [InlineData(640, 480, 256, 341, 256)]
    [InlineData(480, 640, 256, 256, 341)]
    [InlineData(500, 375, 256, 341, 256)]
    [InlineData(1000, 1, 256, 256_000, 256)]
    [InlineData(256, 256, 256, 256, 256)]
    public void The_longer_side_is_cut_to_a_whole_number_as_in_torchvision(int width, int height, int shorter, int newWidth, int newHeight) =>
        Assert.Equal((newWidth, newHeight), AxisGeometry.ResizeShorterSide(width, height, shorter));

    [Theory]
    [InlineData(341, 224, 58)]   // 58.5 goes to the even neighbour
    [InlineData(343, 224, 60)]   // 59.5 too
    [InlineData(256, 224, 16)]
    public void The_crop_s_offset_is_rounded_as_python_rounds(int resized, int crop, int first) =>
        Assert.Equal(first, AxisGeometry.Create(resized, resized, crop).First);

    [Fact]
    public void Checksums_are_those_of_the_standard()
    {
        Assert.Equal(0xCBF43926u, Crc32.Compute("123456789"u8));
        Assert.Equal(0xAE426082u, Crc32.Compute("IEND"u8));
        Assert.Equal(Crc32.Compute(new byte[1000]), BitByBit(new byte[1000]));

        var noise = Pictures.Noise(37, 11, 4);
        for (var length = 0; length < 70; length++)
            Assert.Equal(BitByBit(noise.AsSpan(0, length)), Crc32.Compute(noise.AsSpan(0, length)));

        static uint BitByBit(ReadOnlySpan<byte> data)
        {
            var crc = ~0u;
            foreach (var value in data)
            {
                crc ^= value;
                for (var bit = 0; bit < 8; bit++)
                    crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
            }

            return ~crc;
        }
    }

    private static IDecodedImage WaitForEver(CancellationToken token)
    {
        token.WaitHandle.WaitOne();
        token.ThrowIfCancellationRequested();
        throw new InvalidOperationException("The wait ended without cancellation.");
    }

    private sealed class FakeDecoder(Func<CancellationToken, IDecodedImage> decode) : IImageDecoder
    {
        public ImageFormats Formats => ImageFormats.All;

        public IDecodedImage Decode(ReadOnlySpan<byte> encoded, ImageHeader header, CancellationToken cancellationToken) => decode(cancellationToken);
    }
}
